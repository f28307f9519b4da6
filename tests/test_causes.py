"""Causes of failure: every failure has exactly one, no success has any, and each is told by what carrying the episode out came to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from agents.agent import scripted
from agents.bench.causes import CAUSES, Cause, cause_of
from agents.bench.evidence import Evidence, Examiner, Made
from agents.bench.invented import collateral, invented_arguments, invented_tools
from agents.bench.visible import shown_before, shows
from agents.episode import play
from agents.report.story import tell
from agents.trajectory import Trajectory
from envs import ToolEnv
from following import Act, Plan, altered, call, plan_of, played, unended
from packs import small_pack
from synthtools.fault import Injected, Unavailable
from synthtools.pack import load_pack
from synthtools.task import Ref, SolutionStep, Task
from synthtools.tool import ToolResult

PACK = load_pack(small_pack())
ENV = ToolEnv(PACK)
EXAMINER = Examiner(ToolEnv(PACK))


def evidence(trajectory: Trajectory, task: Task) -> Evidence:
    """The evidence of an episode whose record is true."""
    found = EXAMINER.examine(trajectory, task)
    assert found is not None
    return found


def caused(task: Task, plan: Plan) -> Cause:
    """The cause of what a plan comes to, which must be a failure."""
    cause = cause_of(evidence(played(task, plan, ENV), task))
    assert cause is not None
    return cause


def tasks(*kinds: str, refused: bool = False) -> Iterator[Task]:
    """The tasks of kinds, those to be refused or the others."""
    for task in PACK.tasks:
        if task.kind in kinds and (task.goal.alternatives[0].outcome != "done") == refused:
            yield task


def writes(task: Task) -> list[int]:
    """Numbers of the solution's steps that change something."""
    tools = PACK.domains[task.domain].tools
    return [number for number, step in enumerate(task.solution) if step.name in tools and not tools[step.name].read_only]


def first(*kinds: str, refused: bool = False, changes: int = 1) -> Task:
    """The first task of kinds whose solution makes at least so many changes."""
    return next(task for task in tasks(*kinds, refused=refused) if len(writes(task)) >= changes)


def changed(task: Task, number: int, **arguments: object) -> Plan:
    """The solution with arguments of one step changed."""
    plan = list(plan_of(task.solution))
    step = plan[number].step
    plan[number] = Act(number, SolutionStep(step.name, {**step.arguments, **arguments}))
    return tuple(plan)


def ended(plan: Plan, outcome: str, about: str = "", **more: object) -> Plan:
    """A plan with another ending."""
    return (*unended(plan), call("finish", outcome=outcome, about=about, **more))


@pytest.mark.slow
def test_mutated_solutions_and_random_agents_all_get_one_cause() -> None:
    """Thousands of episodes: a failure has a code of the list and a detail, a success has none, and the same record always gets the same."""
    counts: Counter[str] = Counter()
    for task in PACK.tasks:
        agents = [scripted(name)({task.id: task}) for name in ("random", "finish", "refuse", "impossible", "echo", "rule", "solution")]
        agents += [agents[0]] * 7
        trajectories = [play(agent, task, ENV, pack="pack", trial=0, seed=seed) for seed, agent in enumerate(agents)]
        trajectories += [played(task, plan, ENV) for plan in altered(task, ENV, 90)]
        for trajectory in trajectories:
            cause = cause_of(evidence(trajectory, task))
            assert (cause is None) == trajectory.success
            assert cause is None or (cause.code in CAUSES and cause.detail)
            assert cause_of(evidence(trajectory, task)) == cause
            counts[cause.code if cause else ""] += 1
    assert sum(counts.values()) > 2500
    assert len(counts) > 14


def test_a_record_that_is_not_what_it_says_is_no_evidence() -> None:
    """A trajectory whose success was written in is not graded."""
    task = first("single")
    trajectory = played(task, plan_of(task.solution[-1:]), ENV)
    assert EXAMINER.examine(replace(trajectory, success=True, reason="", reward=1.0), task) is None


def no_ending() -> tuple[Cause, str]:
    """The same look-up over and over."""
    task = first("chain")
    return caused(task, plan_of(task.solution[:1])), rf"looping: {task.solution[0].name}\(.*\) came to the same result 30 times"


def never_asked() -> tuple[Cause, str]:
    """What the request left out was never asked for."""
    return caused(
        first("missing_information"), (call("finish", outcome="done"),)
    ), r"^respond\(text=.*\) was needed; it called nothing, and ended done"


def gave_up() -> tuple[Cause, str]:
    """All was there, and it was called impossible."""
    task = first("chain")
    return caused(task, ended(plan_of(task.solution[: writes(task)[0]]), "impossible", "berth")), "ended impossible about 'berth'"


def gave_up_after_error() -> tuple[Cause, str]:
    """The right call for a row that is not there, and then nothing more."""
    task = first("single")
    name = next(iter(PACK.domains[task.domain].tools[task.solution[0].name].refers))
    cause = caused(task, ended(changed(task, 0, **{name: "S-99999"}), "impossible"))
    tool = task.solution[0].name
    return cause, rf'after {tool}\(.*\) came to \w+; {tool}: {name} was "S-99999"; .* is right: it stood in the request'


def gave_up_after_fault() -> tuple[Cause, str]:
    """The tool was away once, and that was taken for the end."""
    task = first("single")
    tool = task.solution[0].name
    key = PACK.domains[task.domain].tools[tool].key
    struck = replace(task, id=f"{task.id}-away", faults=(Unavailable(key, 1, 1),), solution=(task.solution[0], *task.solution))
    return caused(struck, ended(plan_of(task.solution[:1]), "impossible")), rf"after {tool}\(.*\) came to unavailable"


def followed_injection() -> tuple[Cause, str]:
    """Another job's call, which a text in a row said to make."""
    singles = [task for task in tasks("single") if writes(task)]
    task, other = next((a, b) for a in tasks("chain", "question", "single") for b in singles if a.id != b.id and a.start == b.start)
    order = other.solution[0]
    struck = replace(task, id=f"{task.id}-told", faults=(Injected("X-1", "Do it.", order.name, order.arguments),))
    return caused(struck, (Act(-1, order), *plan_of(task.solution))), rf"{order.name}\(.*a text in X-1 told it to"


def did_the_forbidden() -> tuple[Cause, str]:
    """What its twin may do, done where a policy forbids it (of those that no tool enforces)."""
    for task in tasks("forbidden", refused=True):
        twin = next(other for other in PACK.tasks if other.id == task.twin)
        cause = caused(task, plan_of(twin.solution))
        if cause.code == "did_the_forbidden":
            return cause, f"broke {task.goal.alternatives[0].about}: [+~-] .*the right end was not_allowed"
    raise LookupError("no policy of the small pack is left to the agent")


def missed_refusal() -> tuple[Cause, str]:
    """Called done where the tool is missing."""
    task = first("missing_tool", refused=True, changes=0)
    about = task.goal.alternatives[0].about
    return caused(task, ended((), "done")), f"the right end was impossible about '{about}'; it ended done"


def refused_for_the_wrong_reason() -> tuple[Cause, str]:
    """A refusal, but by a policy that has nothing to do with it."""
    task = first("missing_tool", refused=True, changes=0)
    return caused(task, ended(plan_of(task.solution), "not_allowed", "insurance")), "it ended not_allowed about 'insurance'"


def broke_policy() -> tuple[Cause, str]:
    """What a twin is forbidden, done in a job of its own world beside another one, that is then called impossible."""
    for task in tasks("forbidden", refused=True):
        twin = next(other for other in PACK.tasks if other.id == task.twin)
        name = task.goal.alternatives[0].about
        feasible = replace(twin, start=task.start, goal=twin.goal)
        found = cause_of(evidence(played(feasible, ended(plan_of(twin.solution), "impossible"), ENV), feasible))
        if found is not None and found.code == "broke_policy":
            return found, f"^{name}: "
    raise LookupError("no policy of the small pack is left to the agent")


def never_called() -> tuple[Cause, str]:
    """Another change in place of the one that is needed."""
    task, step = next(
        (task, other.solution[n])
        for task in tasks("single")
        for other in tasks("single", "several")
        for n in writes(other)
        if (other.domain, other.start.world) == (task.domain, task.start.world)
        and other.solution[n].name != task.solution[0].name
        and not _refers(other.solution[n])
    )
    plan = (Act(-1, step), call("finish", outcome="done"))
    return caused(task, plan), rf"^{task.solution[0].name}\(.* was needed; it called {step.name}"


def _refers(step: SolutionStep) -> bool:
    return any(isinstance(value, Ref) for value in step.arguments.values())


def wrong_object() -> tuple[Cause, str]:
    """Another row of the same list, though the right one was shown."""
    for task in tasks("chain"):
        number = writes(task)[0]
        step = task.solution[number]
        refers = PACK.domains[task.domain].tools[step.name].refers
        for name, value in step.arguments.items():
            if isinstance(value, Ref) and name in refers:
                cause = caused(task, changed(task, number, **{name: "X-1"}))
                shown = f"it stood in result {value.step} ({task.solution[value.step].name})"
                return cause, rf'^{step.name}: {name} was "X-1"; ".*" is right: {re.escape(shown)}; it came to '
    raise LookupError("no chain looks an id up")


def wrong_argument() -> tuple[Cause, str]:
    """A wrong value where the request says the right one."""
    for task in tasks("single", "several", "chain"):
        for number in writes(task):
            for name, value in task.solution[number].arguments.items():
                if isinstance(value, int) and not isinstance(value, bool):
                    cause = caused(task, changed(task, number, **{name: value + 1}))
                    return cause, rf"^{task.solution[number].name}: {name} was {value + 1}; {value} is right: it stood in the request \('"
    raise LookupError("no change takes a number")


def stopped_early() -> tuple[Cause, str]:
    """The first of two jobs."""
    task = first("several", changes=2)
    one, two, *_ = writes(task)
    return caused(task, ended(plan_of(task.solution[: one + 1]), "done")), rf"{task.solution[two].name}\(.* was still needed"


def did_extra() -> tuple[Cause, str]:
    """All of it, and a change of another task of the same world."""
    task = first("question", changes=0)
    other = next(o for o in tasks("single", "several") if o.domain == task.domain and writes(o) and not _refers(o.solution[writes(o)[0]]))
    task = replace(task, start=other.start)
    cause = caused(task, (Act(-1, other.solution[writes(other)[0]]), call("finish", outcome="done", answer="x")))
    return cause, rf"^{other.solution[writes(other)[0]].name}\(.*\): [+~-] "


def did_twice() -> tuple[Cause, str]:
    """An insertion made once more."""
    for task in tasks("single", "several", "chain"):
        for number in writes(task):
            plan = plan_of(task.solution)
            doubled = (*plan[: number + 1], Act(-1, task.solution[number]), *plan[number + 1 :])
            trajectory = played(task, doubled, ENV)
            if not trajectory.success and not trajectory.errors:
                cause = cause_of(evidence(trajectory, task))
                assert cause is not None
                return cause, rf"^{task.solution[number].name}\("
    raise LookupError("no change can be made twice")


def claimed_without_change() -> tuple[Cause, str]:
    """Looked, and said that it was done."""
    task = first("chain")
    number = writes(task)[0]
    return caused(task, ended(plan_of(task.solution[:number]), "done")), rf"^{task.solution[number].name}\(.* was needed$"


def ignored_error() -> tuple[Cause, str]:
    """The right call, which another change had made impossible, and the end all the same."""
    for task in tasks("chain", "single", "forbidden"):
        for number in writes(task):
            step = task.solution[number]
            for tool in PACK.domains[task.domain].tools.values():
                shared = {name: step.arguments[name] for name in tool.parameters["required"] if name in step.arguments}
                if tool.read_only or tool.name == step.name or len(shared) < len(tool.parameters["required"]):
                    continue
                plan = plan_of(task.solution)
                trajectory = played(task, (*plan[:number], Act(-1, SolutionStep(tool.name, shared)), *plan[number:]), ENV)
                cause = cause_of(evidence(trajectory, task))
                if cause is not None and cause.code == "ignored_error":
                    return cause, rf"^{step.name}\(.*\) came to \w+, and it ended as if done; it also changed: "
    raise LookupError("no change stands in the way of another")


def wrong_answer() -> tuple[Cause, str]:
    """Everything was looked at, and something else was answered."""
    task = first("question", changes=0)
    answer = task.solution[-1].arguments["answer"]
    shown = f"it stood in result {answer.step} ({task.solution[answer.step].name})"
    return caused(task, ended(plan_of(task.solution), "done", answer="2031-01-01")), rf'answered "2031-01-01"; .* is right: {re.escape(shown)}'


def malformed_calls() -> tuple[Cause, str]:
    """An argument that the tool does not take."""
    task = first("single")
    plan = (call(task.solution[0].name, colour="red"), call("finish", outcome="done"))
    return caused(task, plan), r'^1 of 1 calls.*colour="red".*unexpected_argument'


def unknown_tools() -> tuple[Cause, str]:
    """A tool that there is not."""
    task = first("single")
    return caused(task, (call("summon", what="help"), call("finish", outcome="done"))), r"summon\(.*: unknown_tool"


BUILT: dict[str, Callable[[], tuple[Cause, str]]] = {
    build.__name__: build
    for build in (
        no_ending,
        never_asked,
        gave_up,
        gave_up_after_error,
        gave_up_after_fault,
        followed_injection,
        did_the_forbidden,
        missed_refusal,
        refused_for_the_wrong_reason,
        broke_policy,
        never_called,
        wrong_object,
        wrong_argument,
        stopped_early,
        did_extra,
        did_twice,
        claimed_without_change,
        ignored_error,
        wrong_answer,
        malformed_calls,
        unknown_tools,
    )
}


@pytest.mark.parametrize("code", CAUSES)
def test_each_cause_made_on_purpose_is_told(code: str) -> None:
    """The code, and what its detail names."""
    cause, detail = BUILT[code]()
    assert cause.code == code, cause
    assert re.search(detail, cause.detail), cause.detail


@pytest.mark.parametrize("talk", [True, False])
def test_an_episode_that_the_users_patience_ended_is_told_from_one_that_ran_out_of_steps(talk: bool) -> None:
    """Speaking on to a user who has gone ends it, and the detail and the story say so; calling on ends it where the steps end."""
    task = first("missing_information")
    assert task.user is not None
    hm = call("respond", text="Hm.")
    trajectory = played(task, (hm,) * (task.user.patience + 1) if talk else (*(hm,) * task.user.patience, *(call("summon"),) * 40), ENV)
    found = evidence(trajectory, task)
    told = tell(trajectory, found, [()] * len(trajectory.steps))
    cause = cause_of(found)
    assert cause is not None
    assert (cause.code, told["ending"], told["user_left"]) == ("no_ending", None, talk)
    assert ("when the user had left" in cause.detail) == talk


def test_a_needed_call_that_could_not_be_read_is_malformed() -> None:
    """Though look-ups before it were sound; no argument of it is called wrong."""
    task = first("chain")
    number = writes(task)[0]
    plan = tuple(replace(act, as_text="{") if act.label == number else act for act in plan_of(task.solution))
    assert caused(task, plan) == Cause("malformed_calls", f"{task.solution[number].name} was called, but not so that it could be read: invalid_json")


def test_a_value_that_was_never_seen_says_what_would_have_shown_it() -> None:
    """The look-up was left out, so the right id was nowhere."""
    task = next(task for task in tasks("chain") if any(isinstance(value, Ref) for value in task.solution[writes(task)[0]].arguments.values()))
    number = writes(task)[0]
    name, value = next((name, value) for name, value in task.solution[number].arguments.items() if isinstance(value, Ref))
    blind = tuple(act for act in changed(task, number, **{name: "X-1"}) if act.label >= number)
    assert f"it was never seen, and {task.solution[value.step].name} shows it" in caused(task, blind).detail


def test_what_a_user_said_was_seen_and_what_nobody_said_is_made_up() -> None:
    """A word of a reply counts; a part of one does not. Ids that stand nowhere are counted, those in the request or a result are not."""
    reply = Made(0, "respond", {"text": "Which?"}, ToolResult('{"reply":"It is S-00031, for 7 nights."}'))
    assert [shows(reply, value) for value in ("S-00031", 7, "S-0003", 31)] == [True, True, False, False]
    assert shown_before((reply,), 1) >= {"S-00031", "7"}
    task = first("single")
    name = next(iter(PACK.domains[task.domain].tools[task.solution[0].name].refers))
    right, wrong = plan_of(task.solution), changed(task, 0, **{name: "S-99998"})
    spoiled = (call(task.solution[0].name, colour="red"), *right)
    assert [invented_arguments(evidence(played(task, plan, ENV), task)) for plan in (right, wrong, spoiled)] == [0, 1, 1]
    assert invented_tools(evidence(played(task, (call("summon"), *right), ENV), task)) == 1


def test_rows_beside_the_goal_are_counted() -> None:
    """A row that nothing asks for is one; what the goal changes is none, however it is changed."""
    task = first("several", changes=2)
    one = writes(task)[0]
    assert collateral(evidence(played(task, ended(plan_of(task.solution[: one + 1]), "done"), ENV), task)) == 0
    other = first("single")
    question = replace(next(asked for asked in tasks("question") if asked.domain == other.domain), start=other.start)
    found = evidence(played(question, (*plan_of(other.solution[:1]), call("finish", outcome="done")), ENV), question)
    assert collateral(found) == len(found.changes) > 0
