"""Toolkits: declared, described, run, forked and put back; and every mistake of an author told in one line."""

from __future__ import annotations

# ruff: noqa: E501 - one mistake a line
import dataclasses
import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import orjson
import pytest

import envs  # noqa: F401 - registers the environments
from agents.cli import invoke
from synthtools.backend import Snapshot
from synthtools.backends import Untrusted, open_backend
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.pack import PackError, load_pack, save_pack
from synthtools.proof import Prover
from synthtools.task import Task, resolve
from synthtools.tool import RESERVED, ToolCall
from synthtools.toolkit.backend import ToolkitBackend
from synthtools.toolkit.collect import tasks_beside
from synthtools.toolkit.description import toolkit_domain
from synthtools.toolkit.fault import ToolkitError, ToolkitFault
from toolkits import SHOP, written

RETAIL = Path(__file__).parent.parent / "examples" / "retail" / "retail.py"
DOMAIN = load_domain(RETAIL, trust=True)
TASKS = tasks_beside(RETAIL, DOMAIN)


@cache
def retail() -> ToolkitBackend:
    """One backend of the example for all tests that reset it."""
    return ToolkitBackend(DOMAIN)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ToolkitBackend]:
    """The little shop at its start."""
    made = ToolkitBackend(load_domain(written(tmp_path), trust=True))
    made.reset(Snapshot(made.domain.digest, 0))
    yield made
    made.close()


@pytest.mark.parametrize("name", DOMAIN.tools)
def test_every_tool_of_the_example_is_documented(name: str) -> None:
    """Each parameter has a type and words; refusals have a sentence."""
    tool = DOMAIN.tools[name]
    assert tool.description
    assert all(schema["type"] and schema["description"] for schema in tool.parameters["properties"].values())
    assert all(words.endswith(".") for words in tool.errors.values())


def test_all_tasks_of_the_example_pass_their_gates() -> None:
    """At least fifteen, of several kinds, none turned away."""
    assert TASKS.dropped == {}
    assert len(TASKS.tasks) >= 15
    assert {task.kind for task in TASKS.tasks} >= {"chain", "several", "question", "forbidden", "missing_tool"}


@pytest.mark.parametrize("task", TASKS.tasks, ids=lambda task: task.id)
def test_fork_at_every_step_of_solutions(task: Task) -> None:
    """From a snapshot after any step, the rest of the solution gives the same results and net change; the original is untouched."""
    original, fork = retail(), ToolkitBackend(DOMAIN)
    original.reset(task.start)
    results: list[Any] = []
    calls, snapshots = [], [original.snapshot()]
    for step in task.solution[:-1]:
        calls.append(resolve(step, results))
        results.append(orjson.loads(original.call(calls[-1]).content))
        snapshots.append(original.snapshot())
    assert snapshots[0] == task.start
    for at, snapshot in enumerate(snapshots):
        fork.reset(snapshot)
        assert [orjson.loads(fork.call(call).content) for call in calls[at:]] == results[at:]
        assert fork.changes() == original.changes()
    assert original.snapshot() == snapshots[-1]


@pytest.mark.parametrize("name", DOMAIN.tools)
def test_a_call_without_its_arguments_changes_nothing(name: str) -> None:
    """A typed error for every tool of the example."""
    backend = retail()
    backend.reset(Snapshot(DOMAIN.digest, 0))
    assert backend.call(ToolCall(name, {})).error == "missing_argument"
    assert backend.call(ToolCall(name, "{")).error == "invalid_json"
    assert backend.call(ToolCall(name, {"self": 1})).error == "unexpected_argument"
    assert backend.changes() == ()


def test_the_data_of_the_example_is_what_its_script_writes() -> None:
    """The compressed database is made again, byte for byte, and holds thousands of records."""
    script: dict[str, Any] = {"__name__": "make_data"}
    exec(compile(RETAIL.with_name("make_data.py").read_text(encoding="utf-8"), "make_data.py", "exec"), script)
    assert script["database"]() == orjson.loads(gzip.decompress(RETAIL.with_name("shop.json.gz").read_bytes()))
    assert sum(map(len, script["database"]().values())) > 3000


def test_nothing_is_coerced(shop: ToolkitBackend) -> None:
    """A text is no number, a truth is no number, a whole float is no integer; null is not left out."""
    for count in ("2", True, 2.0, None, [2]):
        assert shop.call(ToolCall("sell", {"product": "P-01", "count": count})).error == "invalid_argument"
    assert shop.changes() == ()


def test_net_changes_are_those_of_rows(shop: ToolkitBackend) -> None:
    """A row that comes, a row whose column is another, in the order of tables; undone, nothing is left."""
    assert shop.call(ToolCall("sell", {"product": "P-01"})).error is None
    assert [(c.table, c.op, c.key, dict(c.after)) for c in shop.changes()] == [
        ("sales", "insert", "S-002", {"id": "S-002", "sale_id": "S-002", "product": "P-01", "count": 1}),
        ("stock", "update", "P-01", {"left": 2}),
    ]
    assert shop.call(ToolCall("take_back", {"sale": "S-002"})).error is None
    assert shop.changes() == ()


def test_what_a_refused_call_had_changed_is_put_back(shop: ToolkitBackend) -> None:
    """The shop takes from the shelf before it looks whether that can be."""
    shop.call(ToolCall("sell", {"product": "P-01"}))
    before = shop.snapshot()
    refused = shop.call(ToolCall("sell", {"product": "P-02"}))
    assert (refused.error, refused.reason) == ("refused", "sold_out")
    assert shop.snapshot() == before
    assert shop.call(ToolCall("sell", {"product": "P-01", "count": 9})).reason == "sold_out"
    assert shop.snapshot() == before


def test_a_mistake_of_the_author_is_a_fault_and_no_result(shop: ToolkitBackend) -> None:
    """It names tool, exception and line; the state is as before."""
    shop.call(ToolCall("sell", {"product": "P-01"}))
    before = shop.snapshot()
    with pytest.raises(ToolkitFault, match=r"shop\.break_down: ZeroDivisionError: integer division or modulo by zero \(shop\.py:\d+\)"):
        shop.call(ToolCall("break_down", {}))
    assert shop.snapshot() == before


def test_a_result_without_bounds_is_a_limit(shop: ToolkitBackend) -> None:
    """And what the call had changed is put back."""
    assert shop.call(ToolCall("shout", {"times": 300_000})).error == "limit"
    assert shop.changes() == ()
    assert shop.call(ToolCall("shout", {"times": 3})).content == '"aaa"'


def test_another_domains_snapshot_is_refused(shop: ToolkitBackend) -> None:
    """Our own mistake, so an exception."""
    with pytest.raises(ValueError, match="another domain"):
        shop.reset(Snapshot("no such digest", 0))
    with pytest.raises(ValueError, match="one start world"):
        shop.reset(Snapshot(shop.domain.digest, 1))


def test_episodes_share_nothing(shop: ToolkitBackend) -> None:
    """Neither a reset nor another backend sees what was done."""
    other = ToolkitBackend(shop.domain)
    other.reset(shop.start)
    shop.call(ToolCall("sell", {"product": "P-01"}))
    assert other.changes() == ()
    shop.reset(shop.start)
    assert shop.changes() == ()


def mend(what: str, instead: str) -> str:
    """The shop with one thing otherwise."""
    assert what in SHOP
    return SHOP.replace(what, instead, 1)


MISTAKES = {
    "no type": (mend("product: str, count", "product, count"), r"shop\.py:\d+: Shop\.sell: parameter 'product': has no type; annotate it"),
    "no words": (mend("            product: Its number.\n", ""), r"Shop\.sell: parameter 'product': is not described; add `product:"),
    "no such parameter": (
        mend("            product: Its number.\n", "            product: Its number.\n            colour: Which.\n"),
        "'colour', which is no",
    ),
    "no docstring": (mend('        """Products by name.', '        x = """Products by name.'), r"Shop\.find: has no docstring"),
    "any arguments": (mend("self, name: str", "self, *name: str"), r"parameter 'name': agents pass arguments by name"),
    "several types": (mend("name: str", "name: str | int"), r"parameter 'name': is of several types"),
    "none without default": (mend("name: str", "name: str | None"), r"may be None, so give it a default"),
    "unknown type": (mend("name: str", "name: Stranger"), r"its annotations cannot be read: name 'Stranger' is not defined"),
    "no schema": (mend("name: str", "name: object()"), "types have no JSON Schema|cannot be read|several types"),
    **{f"reserved, {name}": (mend("def find(", f"def {name}("), f"'{name}' cannot be a tool's name") for name in RESERVED},
    "no about": (mend('    """A tiny shop."""\n', ""), r"the class has no docstring"),
    "no tools": ("from synthtools.toolkit import tool\nclass Shop:\n    'A shop.'\n", r"no class in it has methods marked with @tool"),
    "two classes": (SHOP + SHOP.replace("class Shop", "class Other"), r"holds Shop, Other; say which: .*shop\.py:Shop"),
    "not Python": ("class (", r"shop\.py:1: is not Python"),
    "does not import": (mend("from typing", "import nothing_of_the_kind\nfrom typing"), r"cannot be imported: ModuleNotFoundError"),
    "init fails": (mend("self.sales = {", "self.sales = 1 / 0 or {"), r"Shop\.__init__ raised ZeroDivisionError"),
    "init wants more": (mend("def __init__(self)", "def __init__(self, folder)"), r"__init__ takes 'folder'"),
    "no policy": (mend('field = "Retail"', 'policy = "rules.md"'), r"there is no 'rules\.md' beside the file"),
    "no day": (mend('today = "2026-03-02"', 'today = "2026-02-30"'), r"today: .*day"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    """Where it is and how it is mended."""
    text, told = MISTAKES[name]
    if name == "two classes":
        text = "from __future__ import annotations\n" + text.replace("from __future__ import annotations\n", "")
    with pytest.raises(ToolkitError) as caught:
        load_domain(written(tmp_path, text), trust=True)
    assert re.search(told, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_several_classes_can_be_named(tmp_path: Path) -> None:
    """`shop.py:Other`."""
    text = "from __future__ import annotations\n" + (SHOP + SHOP.replace("class Shop", "class Other")).replace(
        "from __future__ import annotations\n", ""
    )
    assert load_domain(f"{written(tmp_path, text)}:Other", trust=True).name == "other"


def test_untrusted_code_never_runs_here(tmp_path: Path) -> None:
    """Not even by asking for the local backend."""
    trusted = load_domain(written(tmp_path), trust=True)
    assert trusted.toolkit is not None
    stranger = dataclasses.replace(trusted, toolkit=dataclasses.replace(trusted.toolkit, trusted=False))
    with pytest.raises(Untrusted, match="--trust"):
        open_backend(stranger, "local")


HOSTILE: dict[str, dict[str, Any]] = {
    "unknown key": {"more": 1},
    **{
        f"a name of ours, {name}": {"tools": [{"name": name, "description": "x", "parameters": {}, "errors": {}, "read_only": True}]}
        for name in RESERVED
    },
    "no tools": {"tools": []},
    "endless about": {"about": "x" * 5000},
    "a number for a name": {"name": 5},
    "a day that is none": {"today": "2026-02-31"},
    "too many worlds": {"worlds": 10**9},
    "a policy that is no text": {"policies": {"p": None}},
    "nested": {"policies": {"p": [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}},
    "too large": {"policies": {f"p{i}": "x" * 65_000 for i in range(200)}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_description_from_hostile_code_is_judged(name: str, tmp_path: Path) -> None:
    """Anything but a sound description is one typed error."""
    domain = load_domain(written(tmp_path), trust=True)
    assert domain.toolkit is not None
    with pytest.raises(ToolkitError):
        toolkit_domain({**orjson.loads(domain.source), **HOSTILE[name]}, domain.toolkit, "train")


def test_tasks_and_checks_are_no_part_of_the_code() -> None:
    """What holds solutions never goes where the tools run."""
    assert DOMAIN.toolkit is not None
    assert sorted(DOMAIN.toolkit.files) == ["make_data.py", "policy.md", "retail.py", "shop.json.gz"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A toolkit is the files that lie beside it."""
    path = written(tmp_path)
    (tmp_path / "outside").symlink_to("/etc/hostname")
    code = load_domain(path, trust=True).toolkit
    assert code is not None
    assert list(code.files) == ["shop.py"]


def test_a_pack_keeps_the_toolkit_and_never_its_trust(tmp_path: Path) -> None:
    """Files are there with their digests; a file that was touched is found."""
    saved = save_pack(tmp_path / "pack", {DOMAIN.name: DOMAIN}, TASKS.tasks, dropped={}, seed=0)
    assert load_pack(tmp_path / "pack", trust=True) == saved
    toolkit = load_pack(tmp_path / "pack").domains[DOMAIN.name].toolkit
    assert toolkit is not None
    assert not toolkit.trusted
    (tmp_path / "pack" / "domains" / DOMAIN.name / "files" / "retail.py").write_text("print('hello')")
    with pytest.raises(PackError, match=r"retail\.py differs from what the pack was made with"):
        load_pack(tmp_path / "pack")


def test_gymnasium_takes_a_toolkit() -> None:
    """Its tasks are those written beside it; every solution earns the reward, and nothing else does."""
    env: Any = gymnasium.make("synthtools/Worlds-v0", pack=str(RETAIL), trust=True, split=None).unwrapped
    for task in TASKS.tasks[:6]:
        observation, _ = env.reset(seed=0, options={"task": task.id})
        assert task.request in observation
        assert "Money goes back to the payment method" in observation
        results: list[Any] = []
        reward, over = 0.0, False
        for step in task.solution:
            content, reward, over, *_ = env.step(resolve(step, results))
            results.append(orjson.loads(content))
        assert (reward, over) == (1.0, True)
        env.reset(options={"task": task.id})
        assert env.step(ToolCall("finish", {"outcome": "done"}))[1] == 0.0
    fork = env.fork()
    assert fork.backend.snapshot() == env.backend.snapshot()
    env.close()
    fork.close()


def test_commands_take_a_toolkit(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack is generated, played, validated and evaluated, with --trust where there is no engine; mistakes exit with 2."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'no.sock'}")
    path, pack, out = written(tmp_path / "code"), tmp_path / "pack", tmp_path / "run"
    tasks = tmp_path / "my_tasks.yaml"
    tasks.write_text(
        "tasks:\n  - id: lamp\n    request: Sell me a lamp.\n    solution:\n"
        "      - {call: find, with: {name: lamp}}\n      - {call: sell, with: {product: {from: 0, at: [0]}}}\n"
        "  - id: idle\n    request: What is a lamp?\n    solution: [{call: find, with: {name: lamp}}]\n",
        encoding="utf-8",
    )
    assert invoke(["generate", str(path), "--trust", "--tasks", str(tasks), "--out", str(pack)]) == 0
    assert "shop/idle: turned away by goal_false_at_start" in capsys.readouterr().err
    assert invoke(["rollout", str(pack), "--trust", "--agent", "solution", "--out", str(out), "--workers", "1"]) == 0
    assert invoke(["validate", str(out), "--trust"]) == 0
    assert invoke(["evaluate", "--pack", str(pack), "--split", "all", "--agent", "solution", "--trust", "--out", str(tmp_path / "probes")]) == 0
    assert invoke(["audit", f"{path}:Nobody", "--trust"]) == 2
    assert "has no class 'Nobody'" in capsys.readouterr().err


def test_a_prover_needs_no_sql() -> None:
    """The same gates, over any backend; one that is not met is named."""
    task = TASKS.tasks[0]
    prover = Prover(DOMAIN, retail())
    assert prover.prove(task) == ""
    assert prover.prove(dataclasses.replace(task, request="Please do it.")) == "grounded"
    assert prover.prove(dataclasses.replace(task, solution=task.solution[-1:])) == "solution_succeeds"


def described(domain: Domain) -> dict[str, Any]:
    """The example's description."""
    found: dict[str, Any] = orjson.loads(domain.source)
    return found


def test_ids_and_references_are_inferred() -> None:
    """What tools make up is free up to renaming; a column that names another table's rows refers to it."""
    orders = DOMAIN.tables["orders"]
    assert (orders.prefix, orders.digits, orders.columns["customer_id"].ref) == ("O-", 5, "customers")
    assert DOMAIN.tables["variants"].columns["product_id"].ref == "products"
    assert DOMAIN.tables["a table that comes later"].columns["anything"].nullable
    assert described(DOMAIN)["worlds"] == 2
