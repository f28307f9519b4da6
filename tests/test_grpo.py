"""Reinforcement: TRL drives our environments, and what it learns from is what calls came to.

The model is random and small, and what it says is scripted (as TRL's own tests do); template, parsing, calls, masks, loss and optimiser are real.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.agent import Opening
from agents.choice import ChoiceError, choose_tasks
from agents.lesson import name_of
from agents.students.curves import keep_until, read_log, smooth
from agents.students.environment import Pool, ToolNameError, executed, make_environment
from agents.students.local import LocalSettings, local
from agents.students.recipe import Grpo, RecipeError
from agents.students.showing import Showing, show
from envs.offer import Offers
from envs.worlds import worlds_of
from packs import small_pack
from synthtools.backend import LocalBackend
from synthtools.catalog import catalog
from synthtools.load import load_domain
from synthtools.pack import Pack, load_pack
from synthtools.task import Task, resolve
from tiny import STOP, save_tiny, weights

torch = pytest.importorskip("torch", reason="training is an extra: pip install 'synthtools[train]'")
pytest.importorskip("trl", reason="training is an extra: pip install 'synthtools[train]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SwigPy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*swigvarlink:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def pack() -> Pack:
    """A pack of two domains."""
    return load_pack(small_pack())


@pytest.fixture(scope="module")
def simple(pack: Pack) -> tuple[Task, ...]:
    """Tasks of one call."""
    return tuple(task for task in pack.tasks if task.kind == "single")


@pytest.fixture
def pool(pack: Pack) -> Pool:
    """Environments for the pack's tasks."""
    return Pool(worlds_of(pack.tasks, pack.domains), pack.tasks)


def environment(pool: Pool, task: Task) -> Any:
    """An environment with all of a task's tools, in the task."""
    tools = pool.worlds.offers(task.domain).of(task).tools
    made = make_environment("Tools", tools, pool)()
    assert made.reset(prompt=[], task=task.id) is None
    return made


def play(environment: Any, task: Task) -> list[Any]:
    """Make the calls of the solution."""
    results: list[Any] = []
    for step in task.solution:
        call = resolve(step, results)
        assert isinstance(call.arguments, Mapping)
        results.append(json.loads(getattr(environment, call.name)(**call.arguments)))
    return results


# what TRL is given


@pytest.mark.parametrize("name", catalog())
def test_methods_say_what_schemas_say(name: str) -> None:
    """Of every tool of every domain: names, order, what is required, kinds, choices and descriptions survive the way into Python and back."""
    from transformers.utils import get_json_schema

    tools = Offers(load_domain(name)).without(()).tools
    made = make_environment("Tools", tools, None)  # type: ignore[arg-type]  # nothing is played here
    for tool in tools:
        ours, theirs = tool["function"], get_json_schema(getattr(made, name_of(tool)))["function"]
        assert theirs["description"] == " ".join(ours["description"].split())
        fields, found = ours["parameters"]["properties"], theirs["parameters"]["properties"]
        assert list(found) == list(fields)
        assert sorted(theirs["parameters"].get("required", [])) == sorted(ours["parameters"]["required"])
        for field, schema in fields.items():
            for key in ("type", "enum"):
                assert found[field].get(key) == schema.get(key), (name_of(tool), field)


def test_only_tools_are_offered(pool: Pool, simple: tuple[Task, ...]) -> None:
    """TRL offers every public function of a class; there are none but tools, `reset` and `get_reward`."""
    import inspect

    made = environment(pool, simple[0])
    tools = pool.worlds.offers(simple[0].domain).without(()).tools
    public = {name for name, _ in inspect.getmembers(type(made), inspect.isfunction) if not name.startswith("_")}
    assert public == {*map(name_of, tools), "reset", "get_reward"}


@pytest.mark.parametrize(
    ("name", "field"), [("reset", "a"), ("get_reward", "a"), ("_hidden", "a"), ("two words", "a"), ("fine", "from"), ("fine", "a-b")]
)
def test_tools_that_cannot_be_methods_are_refused(name: str, field: str) -> None:
    """A name that TRL takes for something else, or that Python has no way to say, is an error that names the tool."""
    parameters = {"type": "object", "properties": {field: {"type": "string"}}, "required": []}
    tool = {"type": "function", "function": {"name": name, "description": "D", "parameters": parameters}}
    with pytest.raises(ToolNameError, match=re.escape(name)):
        make_environment("Tools", [tool], None)  # type: ignore[arg-type]


def test_tasks_that_need_the_same_share_a_choice(pack: Pack) -> None:
    """What a task needs is among its tools, twins are shown the same ones, and everything is drawn from the seed."""
    worlds = worlds_of(pack.tasks, pack.domains)
    held = {task.id: task for task in pack.tasks}
    shown = show(pack.tasks, held, worlds, Showing(tools=3), 5)
    sets = {row["task"]: row["environment"] for row in shown.rows}
    for task in pack.tasks:
        names = set(map(name_of, shown.sets[sets[task.id]]))
        assert {step.name for step in task.solution} <= names
        if task.twin in held and task.withheld == held[task.twin].withheld:
            assert sets[task.id] == sets[task.twin]
    assert show(pack.tasks, held, worlds, Showing(tools=3), 5) == shown
    assert show(pack.tasks, held, worlds, Showing(tools=3), 6).sets != shown.sets
    refusals = [task for task in pack.tasks if task.kind == "forbidden" and task.goal.alternatives[0].outcome != "done"]
    alone = show(refusals, held, worlds, Showing(tools=3), 5)
    assert refusals
    assert {row["task"]: row["environment"] for row in alone.rows} == {task.id: sets[task.id] for task in refusals}
    whole = show(pack.tasks, held, worlds, Showing(tools=0, brief=False, briefing=False, prompt=""), 5)
    assert [message["role"] for message in whole.rows[0]["prompt"]] == ["user"]
    sizes = {len(worlds.offers(name).without(()).tools) for name in pack.domains}
    plain = {row["environment"] for row in whole.rows if not held[row["task"]].faults}
    assert {len(whole.sets[name]) for name in plain} <= {size + n for size in sizes for n in (-1, 0, 1)}  # one withheld, or with `respond`


# what comes of calls


def test_rewards_come_from_execution(pool: Pool, pack: Pack) -> None:
    """Every solution earns 1.0 through the methods, and finishing at once 0.0."""
    for task in pack.tasks:
        made = environment(pool, task)
        play(made, task)
        assert made.get_reward() == 1.0
        made.reset(prompt=[], task=task.id)
        made.finish(outcome="done", answer="nothing")
        assert made.get_reward() == 0.0
    assert pool.made == 1


def test_nothing_counts_after_the_end(pool: Pool, simple: tuple[Task, ...]) -> None:
    """Calls after `finish`, before and after the reward is asked for, are told so, and change nothing; the reward is frozen."""
    task = simple[0]
    made = environment(pool, task)
    play(made, task)
    assert "episode_done" in made.finish(outcome="impossible")
    assert made.get_reward() == 1.0
    assert "episode_done" in made.finish(outcome="impossible")
    assert made.get_reward() == 1.0
    other = environment(pool, simple[1])
    assert "episode_done" in getattr(made, task.solution[0].name)(**dict(task.solution[0].arguments))
    play(other, simple[1])
    assert (other.get_reward(), made.get_reward()) == (1.0, 1.0)
    assert [tally.calls for tally in pool.settled] == [2, 2]


def test_an_unended_episode_is_a_failure(pool: Pool, simple: tuple[Task, ...]) -> None:
    """Where nobody finished nothing is earned, whatever was done; text alone stands for `finish` where it is seen."""
    for task in simple:
        made = environment(pool, task)
        if task.solution[-1].arguments != {"outcome": "done"}:
            continue
        getattr(made, task.solution[0].name)(**dict(resolve(task.solution[0], []).arguments))  # type: ignore[arg-type]
        assert made.get_reward() == 0.0
        spoken, cut = environment(pool, task), environment(pool, task)
        for one in (spoken, cut):
            getattr(one, task.solution[0].name)(**dict(task.solution[0].arguments))
        said = [[{"role": "assistant", "content": "Done."}], [{"role": "assistant", "content": '<tool_call>{"name": "fin'}]]
        assert executed(completions=said, environments=[spoken, cut]) == [1.0, 0.0]


@pytest.mark.parametrize("arguments", [{}, {"nobody": "knows"}, {"outcome": 7}, {"outcome": float("nan")}, {"outcome": ["done", {"x": "\ud800"}]}])
def test_mistakes_are_observations(arguments: dict[str, Any], pool: Pool, simple: tuple[Task, ...]) -> None:
    """What an agent does wrong is told as JSON, and counted; nothing is raised."""
    made = environment(pool, simple[0])
    for name in (simple[0].solution[0].name, "finish"):
        assert "error" in getattr(made, name)(**arguments)
    play(made, simple[0])
    assert made.get_reward() == 1.0
    assert (pool.settled[-1].errors, pool.settled[-1].calls) == (2, 4)


def test_our_fault_is_raised_again(pool: Pool, simple: tuple[Task, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL tells the model of any exception and goes on; so it is kept, and raised where TRL does not catch."""
    made = environment(pool, simple[0])
    monkeypatch.setattr(LocalBackend, "call", _broken)
    with pytest.raises(ZeroDivisionError):
        getattr(made, simple[0].solution[0].name)()
    with pytest.raises(ZeroDivisionError):
        made.get_reward()
    with pytest.raises(ZeroDivisionError):
        executed(completions=[[{"role": "tool", "content": ""}]], environments=[made])


def test_words_to_a_user_do_not_end_an_episode(pool: Pool, pack: Pack) -> None:
    """Where somebody is there to hear it, a last turn of text alone is said to them, so that nothing was finished; asked as a call, it is solved."""
    task = next(task for task in pack.tasks if task.user is not None)
    made, asked = environment(pool, task), environment(pool, task)
    play(asked, task)
    assert executed(completions=[[{"role": "assistant", "content": "Which one?"}]] * 2, environments=[made, asked]) == [0.0, 1.0]
    assert [tally.finished for tally in pool.settled[-2:]] == [False, True]


def _broken(*_: object) -> Any:
    raise ZeroDivisionError


def test_shaped_rewards_add_up(pack: Pack, simple: tuple[Task, ...]) -> None:
    """Success less the cost of errors; an episode that nobody ended has earned only that cost."""
    pool = Pool(worlds_of(pack.tasks, pack.domains), pack.tasks, reward="shaped")
    made = environment(pool, simple[0])
    made.finish(outcome="no such")
    play(made, simple[0])
    assert made.get_reward() == pytest.approx(0.98)
    made.reset(prompt=[], task=simple[0].id)
    made.finish(outcome="no such")
    getattr(made, simple[0].solution[0].name)(**dict(simple[0].solution[0].arguments))
    assert made.get_reward() == pytest.approx(-0.02)


# what is trained


class Script:
    """What a model says that always knows the solution in even places of a batch, and in odd ones calls for what there is not."""

    def __init__(self, trainer: Any, tasks: Sequence[Task]) -> None:
        self.trainer, self.tokenizer, self.tasks = trainer, trainer.processing_class, tasks
        self.prompts: list[str] = []

    def __call__(self, input_ids: Any, attention_mask: Any, **rest: object) -> Any:
        """In place of the model's `generate`."""
        texts = [self.tokenizer.decode(row[mask.bool()]) for row, mask in zip(input_ids, attention_mask, strict=True)]
        self.prompts += [text for text in texts if "<tool_response>" not in text]
        said = [self.tokenizer.encode(self.turn(text, place) + STOP) for place, text in enumerate(texts)]
        longest = max(map(len, said))
        padded = [ids + [self.tokenizer.pad_token_id] * (longest - len(ids)) for ids in said]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    def turn(self, text: str, place: int) -> str:
        """The next turn of one conversation."""
        asked, _, history = text.partition("<|im_start|>user\n")[2].partition(STOP)
        task = next(task for task in self.tasks if task.request == asked)
        heard = re.findall(r"<tool_response>\n(.*?)\n</tool_response>", history, re.DOTALL)
        if len(heard) == len(task.solution) or "WRONG" in history or "{'error'" in history:
            return ""
        results = [json.loads(found) for found in heard]
        if not results and place % 2:
            return '<tool_call>\n{"name": "finish", "arguments": {"outcome": "impossible", "about": "WRONG"}}\n</tool_call>'
        call = resolve(task.solution[len(results)], results)
        return f"<tool_call>\n{json.dumps({'name': call.name, 'arguments': call.arguments})}\n</tool_call>"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some thirty thousand random weights over bytes."""
    folder = tmp_path_factory.mktemp("base")
    save_tiny(folder)
    return folder


@pytest.fixture
def recipe(base: Path) -> Grpo:
    """Steps over tasks of one call, few tools."""
    settings = {"steps": 2, "generations": 4, "batch": 4, "tools": 2, "briefing": False, "kinds": ["single"], "tasks": 4, "precision": "fp32"}
    return Grpo(model=str(base), pack=str(small_pack()), max_tokens=1024, turns=3, learning_rate=1e-3, save_every=1, **settings)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, simple: tuple[Task, ...]) -> list[Script]:
    """What models say is scripted, in every trainer that is made."""
    from agents.students import grpo

    scripts: list[Script] = []
    make = grpo.make_trainer

    def make_scripted(*arguments: Any) -> Any:
        trainer = make(*arguments)
        scripts.append(Script(trainer, simple))
        monkeypatch.setattr(trainer.model, "generate", scripts[-1])
        return trainer

    monkeypatch.setattr(grpo, "make_trainer", make_scripted)
    return scripts


def test_two_steps_then_a_third_after_a_stop(recipe: Grpo, base: Path, tmp_path: Path, pack: Pack, scripted: list[Script]) -> None:
    """Half the rollouts are right and earn 1.0, the weights change, the pool is used again; a run in two parts ends as one in a single part."""
    from agents.students.grpo import grpo, prepare
    from agents.students.model import load_model

    done = []
    trained = grpo(recipe, tmp_path / "parts", lambda step, steps: done.append((step, steps)))
    assert (trained.steps, trained.first_reward, trained.last_reward, trained.environments) == (2, 0.5, 0.5, 4)
    assert done == [(1, 2), (2, 2)]
    rows = read_log(tmp_path / "parts" / "log.jsonl")
    assert [(row["step"], row["reward"], row["episode/finished"], row["tools/call_frequency"]) for row in rows] == [
        (1, 0.5, 1.0, 1.5),
        (2, 0.5, 1.0, 1.5),
    ]
    assert all(row["grad_norm"] > 0 and row["reward_std"] > 0 for row in rows)
    before, after = weights(base), weights(tmp_path / "parts")
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert (tmp_path / "parts" / "curve.png").read_bytes()[:4] == b"\x89PNG"
    card = json.loads((tmp_path / "parts" / "student.json").read_bytes())
    assert (card["base"], card["pack"], card["recipe"]["steps"]) == (str(base), pack.digest, 2)
    asked = local(LocalSettings(str(tmp_path / "parts"), precision="fp32"))({}).seat(Opening("t", "RULES", "Please.", (), 0))
    assert "RULES" not in str(asked.conversation.messages)

    shown = prepare(recipe, pack).shown
    speech = load_model(recipe.model, recipe.template, "fp32").format
    exact = {speech.tokenizer.decode(speech.prompt(row["prompt"], shown.sets[row["environment"]])) for row in shown.rows}
    assert set(scripted[0].prompts) <= exact

    longer = recipe.model_copy(update={"steps": 3})
    assert grpo(longer, tmp_path / "parts").steps == 3
    grpo(longer, tmp_path / "whole")
    parts, whole = weights(tmp_path / "parts"), weights(tmp_path / "whole")
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    grpo(longer, tmp_path / "parts")
    assert [row["step"] for row in read_log(tmp_path / "parts" / "log.jsonl")] == [1, 2, 3]
    assert all(torch.equal(parts[name], tensor) for name, tensor in weights(tmp_path / "parts").items())
    with pytest.raises(RecipeError, match="another recipe"):
        grpo(recipe.model_copy(update={"seed": 1}), tmp_path / "parts")


def test_too_few_tasks_for_a_step_are_refused(recipe: Grpo, pack: Pack) -> None:
    """Before anything is trained, for a trainer would make no step at all."""
    from agents.students.grpo import prepare

    with pytest.raises(RecipeError, match="a step takes 5 tasks .* and there are 4"):
        prepare(recipe.model_copy(update={"batch": 20}), pack)


def test_an_epoch_has_its_order_whenever_it_begins(recipe: Grpo, tmp_path: Path, pack: Pack, scripted: list[Script]) -> None:
    """Every task comes once in each epoch, though the run is stopped and goes on within a later one; and in the order of a run in one part."""
    from agents.students.grpo import grpo

    for name, lengths in (("parts", (3, 4)), ("whole", (4,))):
        for steps in lengths:
            grpo(recipe.model_copy(update={"steps": steps, "tasks": 4, "batch": 4, "generations": 2, "save_every": 1}), tmp_path / name)
    parts = [prompt for script in scripted[:2] for prompt in script.prompts]
    assert parts == scripted[2].prompts
    assert sorted(set(parts[: len(parts) // 2])) == sorted(set(parts[len(parts) // 2 :]))


def test_small_steps_are_not_rounded_away(recipe: Grpo, base: Path, tmp_path: Path, scripted: list[Script]) -> None:
    """Weights in bf16 learn by way of copies in fp32, as in supervised fine-tuning."""
    from agents.students.grpo import grpo
    from agents.students.optimiser import MasterAdamW

    grpo(recipe.model_copy(update={"precision": "bf16", "steps": 1}), tmp_path / "out")
    after = weights(tmp_path / "out")
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    assert any(not torch.equal(before.bfloat16(), after[name]) for name, before in weights(base).items())
    assert MasterAdamW.__name__ in type(scripted[0].trainer.optimizer.optimizer).__name__


def test_our_fault_ends_the_training(recipe: Grpo, tmp_path: Path, scripted: list[Script], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours within a tool ends the run, and is not told to the model for a tool's answer."""
    from agents.students.grpo import grpo

    monkeypatch.setattr(LocalBackend, "call", _broken)
    with pytest.raises(ZeroDivisionError):
        grpo(recipe, tmp_path / "out")


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "llama3_1"])
def test_calls_are_read_in_templates_that_trl_knows(name: str, base: Path) -> None:
    """A model's own template is taken as it is, with TRL's way of reading it."""
    import trl

    from agents.students.format import ChatFormat
    from agents.students.grpo import read_calls
    from agents.students.model import load_model

    tokenizer = load_model(str(base), "student", "fp32").tokenizer
    template = (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    read_calls(ChatFormat(tokenizer, template))
    assert tokenizer.chat_template == template
    assert tokenizer.response_template["fields"]["tool_calls"]


def test_calls_are_read_in_templates_that_nobody_knows(base: Path, tmp_path: Path) -> None:
    """A template that writes calls as Hermes does is read, whoever wrote it; any other is an error that says what to give."""
    from agents.students.format import STUDENT, FormatError
    from agents.students.grpo import read_calls
    from agents.students.model import load_model

    text = STUDENT.read_text(encoding="utf-8")
    own = tmp_path / "own.jinja"
    own.write_text(text + "{# a stranger's #}", encoding="utf-8")
    read_calls(load_model(str(base), str(own), "fp32").format)
    own.write_text(text.replace("<tool_call>", "[call]"), encoding="utf-8")
    with pytest.raises(FormatError, match="template: student"):
        read_calls(load_model(str(base), str(own), "fp32").format)


def test_values_are_taken_as_they_were_said(base: Path) -> None:
    """TRL reads a number in quotes as text, whatever the schema says, so that the world can refuse it."""
    from trl.chat_template_utils import parse_response

    from agents.students.grpo import read_calls
    from agents.students.model import load_model

    speech = load_model(str(base), "student", "fp32").format
    read_calls(speech)
    parameters = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [{"type": "function", "function": {"name": "count", "description": "Count.", "parameters": parameters}}]
    said = speech.tokenizer.encode('<tool_call>\n{"name": "count", "arguments": {"n": "7"}}\n</tool_call>' + STOP)
    read = parse_response(speech.tokenizer, said, prefix=speech.prompt([{"role": "user", "content": "U"}], tools), tools=tools)
    assert read["tool_calls"][0]["function"] == {"name": "count", "arguments": {"n": "7"}}


# what it is told


def test_recipes_choose_tasks(pack: Pack) -> None:
    """Split, fields, domains, kinds and difficulty narrow the tasks; a name that is not in the pack is an error."""
    chosen = choose_tasks(pack, Grpo(fields=["Maritime"], kinds=["chain"], max_difficulty=3).choice())
    assert chosen
    assert {(task.domain, task.kind) for task in chosen} == {("marina_berths", "chain")}
    assert len(choose_tasks(pack, Grpo(tasks=5).choice())) == 5
    assert {task.domain for task in choose_tasks(pack, Grpo(tasks=6).choice())} == set(pack.domains)
    with pytest.raises(ChoiceError, match=r"Space: no such field in the pack; there are Healthcare Staffing, Maritime"):
        choose_tasks(pack, Grpo(fields=["Space"]).choice())
    with pytest.raises(ChoiceError, match="no task of the test split"):
        choose_tasks(pack, Grpo(split="test").choice())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("steps: 0", "steps: Input should be greater than or equal to 1"),
        ("stepz: 3", "stepz: no such key"),
        ("batch: 10", "batch is 10: give a multiple of generations, which is 8"),
        ("micro_batch: 3", "micro_batch is 3: give a divisor of batch"),
        ("[1]", "a recipe is a mapping"),
        ("a: [", "is not YAML"),
        ("pack: there", "model: is not given"),
    ],
)
def test_recipes_are_read_strictly(text: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is one line that names the file and the key, and exit status 2."""
    from agents.cli import invoke

    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    assert invoke(["train", "grpo", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert str(tmp_path / "recipe.yaml") in error
    assert error.count("\n") == 1


def test_the_command_prints_one_object(recipe: Grpo, tmp_path: Path, capsys: pytest.CaptureFixture[str], scripted: list[Script]) -> None:
    """With --json stdout holds one JSON object and nothing that a trainer prints."""
    import yaml

    from agents.cli import invoke

    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(exclude={"model", "pack"})), encoding="utf-8")
    given = ["--pack", recipe.pack, "--model", recipe.model, "--steps", "1", "--json"]
    assert invoke(["train", "grpo", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "out"), *given]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["steps"], said["first_reward"], said["tasks"]) == (1, 0.5, 4)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the extra, one line says what to install."""
    from agents.cli import invoke, train

    monkeypatch.setattr(train, "NEEDED", ("torch", "no_such_package"))
    assert invoke(["train", "grpo", "recipe.yaml", "--out", str(tmp_path / "out")]) == 2
    assert 'packages that are not here (no_such_package): pip install "synthtools[train]"' in capsys.readouterr().err


def test_logs_survive_a_kill(tmp_path: Path) -> None:
    """A line that was cut off is left out, and what a resumed run makes again is dropped before."""
    log = tmp_path / "log.jsonl"
    log.write_text('{"step":1,"reward":0.5}\n{"step":2,"reward":1.0}\n{"step":3,"rew', encoding="utf-8")
    assert [row["step"] for row in read_log(log)] == [1, 2]
    keep_until(log, 1)
    assert log.read_text(encoding="utf-8") == '{"step":1,"reward":0.5}\n'
    assert smooth([1.0, 0.0, 1.0], 2) == [1.0, 0.5, 0.5]
