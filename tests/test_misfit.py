"""A stranger's users, rules and faults: what does not fit the task or its domain is told in one line when the pack is read."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from playing import some_tasks
from synthtools.codec import task_to_json
from synthtools.fault import Fault, Partial, StaleRead, Timeout, faults_from_json
from synthtools.generate import Factory
from synthtools.instruction import Doing
from synthtools.load import load_domain
from synthtools.manifest import TaskLine
from synthtools.misfit import misfit
from synthtools.pack import PackError, load_pack, save_pack
from synthtools.rule import Rule
from synthtools.task import KINDS, Task
from synthtools.toolkit.collect import tasks_beside
from synthtools.user import Decision, Deed, User
from toolkits import written

DOMAIN = "marina_berths"
SOUND = "tasks: [{id: lamp, request: Sell me a P-01., solution: [{call: sell, with: {product: P-01}}]}]"
EXTRA = {"description": "d", "parameters": {"type": "object", "properties": {}}}


@cache
def task() -> Task:
    """One without a user."""
    return next(task for task in some_tasks(DOMAIN, 20) if task.user is None and not task.faults)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"type": "timeout", "tool": "nope"}, "nope"),
        ({"type": "changed_schema", "tool": "check_out", "old": "nope", "new": "other"}, "nope"),
        ({"type": "changed_schema", "tool": "check_out", "old": "kwh", "new": "stay_id"}, "stay_id"),
        ({"type": "misleading_docs", "tool": "check_out", "parameter": "nope", "says": "x"}, "nope"),
        ({"type": "extra_tools", "tools": [{"name": "finish", **EXTRA}]}, "finish"),
        ({"type": "extra_tools", "tools": [{"name": "two", **EXTRA}, {"name": "two", **EXTRA}]}, "two"),
        ({"type": "injected", "row": "S", "text": "x", "name": "nope", "arguments": {}}, "nope"),
    ],
)
def test_faults_of_what_is_not_there_are_told(record: dict[str, Any], said: str, tmp_path: Path) -> None:
    """With their name, in one line; they would never strike."""
    forged = replace(task(), faults=faults_from_json([record]))
    save_pack(tmp_path / "pack", {DOMAIN: load_domain(DOMAIN)}, [forged], dropped={}, seed=1)
    with pytest.raises(PackError, match=f"'{said}'") as told:
        load_pack(tmp_path / "pack")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Partial("find", 1, 1), "none can be cut"),
        (StaleRead("find", 1, ("UPDATE stock SET \"left\" = 0 WHERE id = 'P-01'",), "2026-03-01T09:00"), "takes none"),
        (StaleRead("find", 1, (), "2026-03-01T09:00"), ""),
        (Timeout("sell", 1, "timeout_after"), ""),
    ],
)
def test_python_tools_have_no_faults_that_need_sql(fault: Fault, said: str, tmp_path: Path) -> None:
    """What could never strike a toolkit's tools, or could not be run, is told in one line that names the tool; other faults are read back."""
    domain = load_domain(written(tmp_path), trust=True)
    (tmp_path / "tasks.yaml").write_text(SOUND, encoding="utf-8")
    (sold,) = tasks_beside(tmp_path / "shop.py", domain).tasks
    save_pack(tmp_path / "pack", {domain.name: domain}, [replace(sold, faults=(fault,))], dropped={}, seed=1)
    if not said:
        assert load_pack(tmp_path / "pack", trust=True).tasks[0].faults == (fault,)
        return
    with pytest.raises(PackError, match=f"'find'.*{said}") as told:
        load_pack(tmp_path / "pack", trust=True)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "user"),
    [
        ("ask_first", None),
        ("ask_first", User("plain", 1, "Do it.")),
        ("identity_first", User("plain", 1, "Do it.", decision=Decision(True, "Yes."))),
    ],
)
def test_rules_that_nobody_can_keep_are_told(kind: Any, user: User | None) -> None:
    """Without anybody to ask, or with a user who has nothing to say."""
    rule = Rule(kind, "Ask.", ("name",) if kind == "identity_first" else ())
    assert kind in (found := misfit(replace(task(), user=user, rules=(rule,)), load_domain(DOMAIN))) or "'name'" in found


def test_deeds_that_nobody_can_do_are_told() -> None:
    """A user's tool that the domain has not, and a rule that leaves to the user what they have no tool for."""
    domain = load_domain(DOMAIN)
    deed = Deed("nope", {}, Doing(("do",), (), ()), "do it")
    assert "'nope'" in misfit(replace(task(), user=User("plain", 1, "Do it.", deeds=(deed,))), domain)
    rule = Rule("customer_acts", "Only they can.", ("check_out",))
    assert "'check_out'" in misfit(replace(task(), user=User("plain", 1, "Do it."), rules=(rule,)), domain)


@pytest.mark.parametrize("name", [DOMAIN, "coach_tours", "online_store"])
def test_what_is_generated_fits(name: str) -> None:
    """Tasks of every kind, users and faults among them, are read back."""
    factory = Factory(load_domain(name), 3)
    made = [one for kind in KINDS for one in factory.tasks(kind, 2)]
    assert {"dual_control", "recovery", "confirmation"} <= {one.kind for one in made}
    assert [found for one in made if (found := misfit(one, factory.domain))] == []


@pytest.mark.parametrize("nth", [True, 1.0, "1", 0, -1, 2**70])
def test_numbers_of_calls_are_whole_numbers(nth: Any) -> None:
    """As JSON writes them; nothing is turned into one."""
    with pytest.raises((ValueError, TypeError)):
        faults_from_json([{"type": "timeout", "tool": "", "nth": nth}])


@pytest.mark.parametrize("parameters", [{}, {"type": 5, "properties": 7}, {"type": "object", "properties": {"a": 1}}])
def test_extra_tools_have_schemas(parameters: dict[str, Any]) -> None:
    """From which calls can be drawn."""
    with pytest.raises(ValueError, match="schema of an object"):
        faults_from_json([{"type": "extra_tools", "tools": [{**EXTRA, "name": "one", "parameters": parameters}]}])


def test_users_say_something() -> None:
    """A decision without words is none."""
    line = orjson.loads(task_to_json(replace(task(), user=User("plain", 1, "Do it.", decision=Decision(True, "Yes.")))))
    TaskLine.model_validate_json(orjson.dumps(line))
    line["user"]["decision"]["said"] = ""
    with pytest.raises(ValidationError, match=r"user\.decision\.said"):
        TaskLine.model_validate_json(orjson.dumps(line))
