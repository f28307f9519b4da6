"""Gates of proof: each turns away a task with just its fault, and the task without the fault passes them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shed import SOUND, shed
from small import tool_shed
from synthtools.backend import LocalBackend
from synthtools.fault import Unavailable
from synthtools.generate import Factory
from synthtools.goal import Alternative, Answer, Change, Goal
from synthtools.hearing import Topic
from synthtools.proof import GATES, Prover
from synthtools.recovery import Recovery
from synthtools.task import Derived, Ref, SolutionStep, Task
from synthtools.tasks.describe import Claim, Description
from synthtools.user import Fact, User

SHED = shed()
FACTORY = Factory(SHED, 0)
PROVER = FACTORY.prover
FINISH = SolutionStep("finish", {"outcome": "done"})
TWICE = SOUND.replace("policies:\n", SOUND[SOUND.index("  lend:\n") : SOUND.index("policies:\n")].replace("  lend:", "  hand_out:") + "policies:\n")
"""The shed with a second tool that does what `lend` does."""


def found(kind: str, wanted: Callable[[Task], bool] = lambda _task: True) -> Task:
    """The first proven task of a kind that is wanted."""
    return next(task for number in range(300) for task in FACTORY.attempt(kind, number) if wanted(task))


def calls(task: Task, key: str) -> bool:
    """Whether the solution calls a tool."""
    return any(step.name == SHED.tool(key).name for step in task.solution)


LENDING = found("single", lambda task: calls(task, "lend"))
RENAMING = found("chain", lambda task: calls(task, "update_neighbour"))
ASKING = found("question")
TWO = found("several", lambda task: len(task.goal.alternatives[0].changes) > 3)


def done(task: Task) -> Goal:
    """The goal of what the task's own solution comes to."""
    return Goal((Alternative(PROVER.play(task, task.solution).changes),))


def said(task: Task, *values: object) -> dict[str, str]:
    """What the request says, with some values held to be stated by its words."""
    return {**task.said, **{orjson.dumps(value).decode(): "" for value in values}}


def solution_runs() -> Task:
    """Nothing ends the episode."""
    return replace(LENDING, solution=LENDING.solution[:-1])


def goal_false_at_start() -> Task:
    """Nothing is to be done."""
    return replace(LENDING, solution=(FINISH,), goal=Goal((Alternative(()),)))


def constant_endings_fail() -> Task:
    """The answer is one that anybody would guess."""
    return replace(ASKING, goal=Goal((Alternative((), answer=Answer("word", "yes")),)))


def solution_succeeds() -> Task:
    """The goal holds another amount than the solution comes to."""
    charge = next(c for c in LENDING.goal.alternatives[0].changes if c.table == "neighbour")
    wrong = Change(charge.table, charge.op, charge.key, charge.before, {"fees": int(str(charge.after["fees"])) + 1})
    changes = tuple(wrong if c == charge else c for c in LENDING.goal.alternatives[0].changes)
    return replace(LENDING, goal=Goal((Alternative(changes),)))


def policies_kept() -> Task:
    """The borrower owes too much in this world, and the tool does not mind."""
    task = replace(LENDING, start=replace(LENDING.start, setup=("UPDATE neighbour SET fees = 2000",)))
    return replace(task, goal=done(task))


def gives_nothing_away() -> Task:
    """The number to be looked up stands in the request."""
    return replace(RENAMING, request=f"{RENAMING.request} {RENAMING.goal.alternatives[0].changes[0].key}")


def grounded() -> Task:
    """Nobody said which tool is to be lent."""
    return replace(LENDING, request="Lend it to them.")


class Counting(dict[str, int]):
    """Values that are others each time one looks."""

    def items(self) -> Any:
        """One more than the last time."""
        self["n"] += 1
        return super().items()


def replays_exactly() -> Task:
    """The ending is another at each playing (which no task in a file can make it)."""
    ending = {"outcome": "done", "about": Derived("'number ' || :n", Counting(n=0))}
    return replace(LENDING, solution=(*LENDING.solution[:-1], SolutionStep("finish", ending)))


def every_write_needed() -> Task:
    """The solution gives somebody the name that they have."""
    return replace(RENAMING, solution=(*RENAMING.solution[:-1], RENAMING.solution[-2], RENAMING.solution[-1]))


def mutants_fail() -> Task:
    """An answer that is not right counts as well."""
    goal = ASKING.goal.alternatives[0]
    assert goal.answer is not None
    value = goal.answer.value
    return replace(ASKING, goal=Goal((goal, Alternative((), answer=Answer("ids", sorted([*value, f"{value[0]}9"]))))))


def free_order() -> Task:
    """Two jobs of which the second undoes a part of the first."""
    borrowed = LENDING.solution[0].arguments["tool_id"]
    back = SolutionStep("bring_back", {"tool_id": borrowed})
    task = replace(LENDING, kind="several", solution=(*LENDING.solution[:-1], back, FINISH))
    return replace(task, goal=done(task))


def no_other_way() -> Task:
    """The tool is missing, and another does the same."""
    domain = tool_shed(TWICE)
    start = replace(LENDING.start, domain=domain.digest)
    return replace(refused(), start=start)


def asking_needed() -> Task:
    """The user is asked for what the request says."""
    user = User("plain", 1, LENDING.request, (Fact("tool_id", "tool", Topic("row", ("tool",)), "the drill"),))
    asks = SolutionStep("respond", {"text": "Which tool?"})
    return replace(LENDING, user=user, solution=(*LENDING.solution[:-1], asks, FINISH))


def refused() -> Task:
    """The lending without the tool for it, so that a number is wanted instead."""
    finder = SHED.tool("search_neighbours").name
    neighbour = LENDING.solution[0].arguments["neighbour_id"]
    backend = LocalBackend(SHED)
    backend.reset(LENDING.start)
    name = backend.world.connection.execute("SELECT name FROM neighbour WHERE id = ?", (neighbour,)).get
    envelope = SHED.surface.envelope
    at = (envelope, 0, "id") if envelope else (0, "id")
    ending = SolutionStep("finish", {"outcome": "impossible", "about": "lend", "answer": Ref(0, at)})
    return replace(
        LENDING,
        kind="missing_tool",
        withheld=("lend",),
        request=f"Lend {name} the drill, or give me the number.",
        said={orjson.dumps(name).decode(): name},
        solution=(SolutionStep(finder, {"name": name}), ending),
        goal=Goal((Alternative((), "impossible", "lend", Answer("id", neighbour)),)),
    )


SOUND_TASKS = {"lending": LENDING, "renaming": RENAMING, "asking": ASKING, "two": TWO, "refused": refused()}
FAULTY = {
    make.__name__: make
    for make in (
        *(solution_runs, goal_false_at_start, constant_endings_fail, solution_succeeds, every_write_needed, grounded),
        *(mutants_fail, free_order, replays_exactly, gives_nothing_away, policies_kept, asking_needed),
    )
}


@pytest.mark.parametrize("name", SOUND_TASKS)
def test_a_task_without_a_fault_passes_every_gate(name: str) -> None:
    """What the faulty tasks below are made from."""
    assert PROVER.prove(SOUND_TASKS[name]) == ""


@pytest.mark.parametrize("gate", FAULTY)
def test_a_gate_turns_its_fault_away(gate: str) -> None:
    """Exactly this gate, since those before it have nothing to say."""
    assert PROVER.prove(FAULTY[gate]()) == gate


def test_a_description_that_fits_two_rows_is_turned_away() -> None:
    """One that says nothing fits them all; by its number a row is alone."""
    neighbour = str(LENDING.solution[0].arguments["neighbour_id"])
    one = Description("neighbour", neighbour, neighbour, (Claim(("id",), neighbour),))
    assert PROVER.prove(LENDING, (one,)) == ""
    assert PROVER.prove(LENDING, (one, replace(one, claims=()))) == "descriptions_fit_one"


def test_a_missing_tool_that_another_stands_in_for_is_turned_away() -> None:
    """The same task is sound where no other tool has these effects."""
    domain = tool_shed(TWICE)
    assert Prover(domain, LocalBackend(domain)).prove(no_other_way()) == "no_other_way"
    assert PROVER.prove(refused()) == ""


def test_a_fault_that_nobody_minds_is_turned_away() -> None:
    """The recovery must be needed: the job must be possible without the fault, and fail where nothing is done about it."""
    lend, finish = LENDING.solution
    broken = replace(LENDING, kind="recovery", faults=(Unavailable("lend", 1, 1),), solution=(lend, lend, finish))
    assert PROVER.prove(broken, (), Recovery(LENDING.solution, (LENDING.solution,))) == ""
    assert PROVER.prove(broken, (), Recovery(LENDING.solution, (broken.solution,))) == "recovery_needed"
    assert PROVER.prove(broken, (), Recovery((finish,), (LENDING.solution,))) == "recovery_needed"


def test_half_a_pair_of_twins_is_not_admitted() -> None:
    """Where one of two tasks with the same request is turned away, neither comes, and the gate is counted."""
    factory = Factory(tool_shed(TWICE), 0)
    made = [factory.attempt("missing_tool", number) for number in range(120)]
    assert {len(pair) for pair in made} == {0, 2}
    assert factory.dropped["twins:no_other_way"]["missing_tool"] > 0
    assert not set(GATES) & factory.dropped.keys()
    assert factory.prover.checked["twins"] == sum(len(pair) == 2 for pair in made)


def test_every_gate_is_tried_here() -> None:
    """A gate that is added gets its faulty task."""
    assert {*FAULTY, "descriptions_fit_one", "no_other_way", "twins", "recovery_needed"} == set(GATES)


def test_checks_are_counted() -> None:
    """A proof says how often each gate had something to look at."""
    prover = Prover(SHED, LocalBackend(SHED))
    assert set(prover.checked.values()) == {0}
    assert prover.prove(LENDING) == ""
    looked_at = {gate for gate, number in prover.checked.items() if number}
    asked = {"constant_endings_fail", "gives_nothing_away", "free_order", "descriptions_fit_one", "no_other_way", "twins"}
    assert looked_at == set(GATES) - asked - {"asking_needed", "recovery_needed"}
