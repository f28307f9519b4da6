"""What the teacher says: the answer in words, what stands in the way, and nothing that is not so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from agents.agent import Opening, scripted
from agents.episode import play, seed_of
from agents.phrases import LONGEST, PHRASES, in_words
from agents.trajectory import Trajectory
from agents.validate import replay
from envs import ToolEnv
from packs import small_pack
from synthtools.answer import answers
from synthtools.fault import DOWN_AFTER, Unavailable
from synthtools.goal import Alternative, Answer
from synthtools.pack import load_pack
from synthtools.task import SolutionStep, Task

PACK = load_pack(small_pack())
TASKS: Mapping[str, Task] = {task.id: task for task in PACK.tasks}
SEEDS = range(12)
TELLING = ("number", "money", "date", "id", "ids")
"""Types of answer that are found in a sentence."""


def lesson(env: ToolEnv, task: Task, seed: int) -> Trajectory:
    """The solution's episode at a task, which may be another than the pack's."""
    return play(scripted("solution")({task.id: task}), task, env, pack=PACK.digest, trial=0, seed=seed_of(seed, task.id, "solution", 0))


@pytest.fixture(scope="module")
def env() -> ToolEnv:
    """An environment over the pack."""
    return ToolEnv(PACK)


@pytest.fixture(scope="module")
def lessons(env: ToolEnv) -> Mapping[str, tuple[Trajectory, ...]]:
    """Every task's episodes, one a seed."""
    return {task.id: tuple(lesson(env, task, seed) for seed in SEEDS) for task in PACK.tasks}


def wanted(task: Task) -> Answer | None:
    """The answer that a task asks for."""
    return task.goal.alternatives[0].answer


def is_said(answer: Answer, text: str, task: Task) -> bool:
    """Whether a sentence, read as an agent's answer, is the answer; a word need only be in it."""
    if answer.type in TELLING:
        return answers(answer, text, PACK.domains[task.domain], {})
    return in_words(answer.value) in text


@pytest.mark.parametrize("task", TASKS)
def test_words_leave_a_trajectory_valid_and_successful(task: str, lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """And each text is one printable line within the bound."""
    env = ToolEnv(PACK)
    for trajectory in lessons[task]:
        assert (replay(trajectory, TASKS[task], env).valid, trajectory.success) == (True, True)
        texts = [step.text for step in trajectory.steps]
        assert all(len(text) <= LONGEST and (text.isprintable() or not text) for text in texts)
        assert texts[-1]


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if wanted(task)])
def test_the_last_words_hold_the_answer(task: str, lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """They would pass as the answer themselves: nothing else in them could be taken for it."""
    answer = wanted(TASKS[task])
    assert answer is not None
    assert [trajectory.steps[-1].text for trajectory in lessons[task] if not is_said(answer, trajectory.steps[-1].text, TASKS[task])] == []


@pytest.mark.parametrize("outcome", ["impossible", "not_allowed"])
def test_a_refusal_says_what_stands_in_the_way(outcome: str, lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """The ability or the policy, in words; where a rule of the task does, what the user said."""
    refused = {name: task.goal.alternatives[0].about for name, task in TASKS.items() if task.goal.alternatives[0].outcome == outcome}
    assert refused
    for name, about in refused.items():
        forms = PHRASES.get(about) or (in_words(about),)
        assert [item.steps[-1].text for item in lessons[name] if not any(form in item.steps[-1].text for form in forms)] == []


def test_a_row_that_is_named_was_changed(lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """An ending without an answer names no row but one of the net change."""
    named = 0
    for name, played in lessons.items():
        ids = {step.call.arguments[key] for item in played for step in item.steps[:-1] for key in step.call.arguments if key.endswith("_id")}
        for item in played if wanted(TASKS[name]) is None else ():
            found = {str(one) for one in ids if str(one) in item.steps[-1].text.replace(".", " ").replace(":", " ").split()}
            assert found <= {change.key for change in item.changes}
            named += len(found)
    assert named


def test_a_seed_always_says_the_same_and_others_say_it_otherwise(env: ToolEnv, lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """Words come from the task and the seed, and nothing but the words."""
    for name, played in lessons.items():
        assert lesson(env, TASKS[name], SEEDS[0]) == played[0]
        assert len({item.steps[-1].text for item in played}) > 2
        assert len({tuple(step.call.name for step in item.steps) for item in played}) == 1


def test_little_is_said_before_the_end(lessons: Mapping[str, tuple[Trajectory, ...]]) -> None:
    """In about one of six episodes: before the first look-up, and before the first change after it."""
    played = [item for name, items in lessons.items() for item in items if not TASKS[name].faults]
    early = [[step.text for step in item.steps[:-1] if step.text] for item in played]
    assert 0.05 < sum(map(bool, early)) / len(played) < 0.25
    assert max(map(len, early)) == 2
    assert {text for texts in early for text in texts} <= {*PHRASES["look"], *PHRASES["act"]}


@pytest.mark.parametrize(("text", "is_quoted"), [("No boat leaves before it is paid.", True), ("# How we work", False), ("Paid * first.", False)])
def test_a_policys_text_is_quoted_where_it_is_a_sentence(text: str, is_quoted: bool, env: ToolEnv) -> None:
    """By some seeds; its name is always said."""
    task = next(task for task in PACK.tasks if task.goal.alternatives[0].outcome == "not_allowed")
    about = task.goal.alternatives[0].about
    task = replace(task, solution=(SolutionStep("finish", {"outcome": "not_allowed", "about": about}),))
    env.reset(options={"task": task})
    agent, said = scripted("solution")({task.id: task}), set()
    for seed in range(30):
        agent.begin(Opening(task.id, f"Policies:\n- {about}: {text}", task.request, env.tools, seed))
        said.add(agent.act([""]).text)
    assert all(in_words(about) in sentence for sentence in said)
    assert any(text in sentence for sentence in said) == is_quoted


@pytest.mark.parametrize("again", [True, False])
def test_an_error_gets_a_word(again: bool, env: ToolEnv) -> None:
    """Beside the call that comes after it, whether that is the same tool or another."""
    task = next(task for task in PACK.tasks if task.kind == "single" and wanted(task) is None)
    name = task.solution[0].name if again else next(tool.name for tool in PACK.domains[task.domain].tools.values() if tool.origin.kind == "get")
    played = lesson(env, replace(task, solution=(SolutionStep(name, {"nothing": "Z-1"}), *task.solution)), 1)
    assert played.steps[0].result.error
    assert (played.success, played.steps[1].text in PHRASES["again" if again else "error"]) == (True, True)


@pytest.mark.parametrize("again", [True, False])
def test_only_who_calls_again_says_so(again: bool, env: ToolEnv) -> None:
    """Of a tool that is unavailable: one more try is announced where one comes, and where another tool comes next, another way."""
    task = next(task for task in PACK.tasks if task.kind == "single" and wanted(task) is None)
    tools = PACK.domains[task.domain].tools
    other = next(tool.name for tool in tools.values() if tool.origin.kind == "search" and tool.name != task.solution[0].name)
    tries = DOWN_AFTER - 1 if again else DOWN_AFTER
    fault = Unavailable(tools[task.solution[0].name].key, 1, tries)
    down = replace(task, faults=(fault,), solution=(*[task.solution[0]] * tries, *([] if again else [SolutionStep(other, {})]), *task.solution))
    for seed in SEEDS:
        played = lesson(env, down, seed)
        assert [step.result.error for step in played.steps].count("unavailable") == tries
        assert played.success
        said = [step.text for step in played.steps[1 : tries + 1]]
        assert all(text in PHRASES["unavailable"] for text in said[:-1])
        assert said[-1] in PHRASES["unavailable" if again else "error"]


ENDINGS: Mapping[str, tuple[Answer | None, object, str, str]] = {
    "a yes": (Answer("word", "true"), "true", "", "yes"),
    "a no": (Answer("word", "false"), "false", "", "no"),
    "a state": (Answer("word", "no_show"), "no_show", "", "no show"),
    "an empty list": (Answer("ids", []), [], "", "none"),
    "a list of one": (Answer("ids", ["B1"]), ["B1"], "", "B1"),
    "a list that is too long": (Answer("ids", ["B1"] * 90), ["B1"] * 90, "", "long"),
    "money as text": (Answer("money", 750), "7.5", "", "7.50"),
    "lines and no letters": (Answer("word", "a\nb\x07"), "a\nb\x07", "", "a b"),
    "what blocks": (None, None, "B1", "B1"),
    "nothing that blocks": (None, None, "", "cannot"),
}
"""What is wanted, what is given, what it is about, and what is then said: words, or a case."""


@pytest.mark.parametrize("case", ENDINGS)
def test_endings_that_few_tasks_have(case: str, env: ToolEnv) -> None:
    """Each is one line that says it, whatever the seed."""
    answer, given, about, said = ENDINGS[case]
    outcome = "done" if answer else "impossible"
    arguments = {"outcome": outcome, **({} if answer is None else {"answer": given}), **({"about": about} if about else {})}
    goal = replace(PACK.tasks[0].goal, alternatives=(Alternative((), "done" if answer else "impossible", about, answer),))
    task = replace(PACK.tasks[0], goal=goal, solution=(SolutionStep("finish", arguments),))
    texts = {lesson(env, task, seed).steps[-1].text for seed in range(40)}
    assert len(texts) > 3
    assert all(text.isprintable() and len(text) <= LONGEST for text in texts)
    assert [text for text in texts if text not in PHRASES.get(said, ()) and said not in text and said not in text.casefold()] == []


def test_every_case_has_forms_enough_that_fit() -> None:
    """Eight or more, all different, each within the bound with values of a usual length."""
    for case, forms in PHRASES.items():
        assert len(set(forms)) == len(forms) >= 8, case
        filled = [form.format_map({"v": "S-00001", "s": "departed", "t": "A rule.", "a": "It is 7."}) for form in forms]
        assert all(len(text) <= 90 and text.isprintable() and text[-1] in '.)"' for text in filled), case
