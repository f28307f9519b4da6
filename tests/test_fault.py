"""Faults: each type in several domains is recovered from by the reference and by nobody who does not notice; schedules are data, seeded and exact."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.agent import scripted
from agents.bench.causes import cause_of
from agents.bench.evidence import Examiner
from agents.episode import play
from agents.validate import validate
from envs import ToolEnv, ToolVectorEnv, worlds_of
from playing import DOMAINS, coming_calls, make_env, solve, some_tasks
from synthtools.backend import LocalBackend
from synthtools.codec import task_from_json, task_to_json
from synthtools.fault import (
    DOWN_AFTER,
    SERVICE,
    ChangedSchema,
    ExtraTool,
    ExtraTools,
    Fault,
    Injected,
    MisleadingDocs,
    Partial,
    RateLimit,
    StaleRead,
    TerseDocs,
    Timeout,
    Unavailable,
    faults_from_json,
    faults_to_json,
)
from synthtools.faulty import FaultyBackend, faulty
from synthtools.generate import Factory
from synthtools.load import load_domain
from synthtools.mirror import MirroredBackend
from synthtools.pack import PackError, load_pack, save_pack
from synthtools.promise import listed
from synthtools.proof import Prover
from synthtools.recovery import Recovery
from synthtools.seed import generator
from synthtools.task import SolutionStep, Task, resolve
from synthtools.tasks import recovering
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.kinds import KINDS
from synthtools.tasks.maker import Candidate, Maker
from synthtools.tasks.striking import STRIKERS
from synthtools.tool import FAULTS, ToolCall
from synthtools.user import RESPOND
from synthtools.wait import WAIT

HERE = ("marina_berths", "clinic_roster", "online_store")
ORDINARY = ("single", "chain", "several", "question")
TYPES = (*STRIKERS, "down")


@cache
def factory(domain: str) -> Factory:
    """One domain's."""
    return Factory(load_domain(domain), 4)


def candidates(domain: str, kind: str) -> Iterator[tuple[Candidate, ...]]:
    """Candidates of one type of fault, before their proof."""
    made = factory(domain)
    maker = Maker(made.domain, made.backend, 0, generator("faults", domain, kind))
    for _ in range(200):
        maker.begin()
        try:
            if kind == "down":
                yield recovering.down(maker, KINDS["missing_tool"](maker))
            else:
                yield (recovering.struck(maker, KINDS[maker.pick(ORDINARY)](maker)[0], kind),)
        except NotBuilt:
            continue


@cache
def proven(domain: str, kind: str) -> tuple[Candidate, ...]:
    """The first candidates that every gate lets through, as ids of their own."""
    prover = factory(domain).prover
    for pair in candidates(domain, kind):
        if not any(prover.prove(one.task, one.described, one.recovery) for one in pair):
            return tuple(replace(one, task=replace(one.task, id=f"{domain}/recovery/{kind}{number}")) for number, one in enumerate(pair))
    raise AssertionError(f"no task of {kind} in {domain}")


def env_of(task: Task, **settings: Any) -> ToolEnv:
    """An environment at the start of a task."""
    env = ToolEnv(worlds_of([task], {task.domain: load_domain(task.domain)}), **settings)
    env.reset(options={"task": task})
    return env


def played(task: Task, steps: tuple[SolutionStep, ...]) -> ToolEnv:
    """An environment after steps; those that refer to what is not there are left out."""
    env = env_of(task)
    values: list[Any] = []
    for step in steps:
        try:
            values.append(orjson.loads(env.step(resolve(step, values))[0]))
        except LookupError:
            values.append(None)
    return env


def recovery_of(candidate: Candidate) -> Recovery:
    """What a candidate with faults has."""
    assert candidate.recovery is not None
    return candidate.recovery


def named(make: Callable[..., Any]) -> Any:
    """Every type in every domain of these."""
    return pytest.mark.parametrize("domain", HERE)(pytest.mark.parametrize("kind", TYPES)(make))


@named
def test_the_reference_recovers(domain: str, kind: str) -> None:
    """It earns the reward through the environment, no argument needed, and makes no mistake of its own."""
    for candidate in proven(domain, kind):
        env = env_of(candidate.task)
        assert solve(env)[-1][1] == 1.0
        assert not any(result.mistaken for _, result in env.calls)


@named
def test_one_who_does_not_recover_fails(domain: str, kind: str) -> None:
    """By the solution without recovery, by a blind repeat, by obeying; which succeed, or would be harmless, where nothing goes wrong."""
    for candidate in proven(domain, kind):
        recovery = recovery_of(candidate)
        assert recovery.naive
        assert not any(played(candidate.task, steps).judgement.success for steps in recovery.naive)
        if candidate.task.goal.alternatives[0].outcome == "done":
            assert played(replace(candidate.task, faults=()), recovery.plain).judgement.success


@named
def test_forks_at_every_step_go_on_alike(domain: str, kind: str) -> None:
    """The schedule goes with a fork and with a pickle: same results and reward, and the original is not touched."""
    for candidate in proven(domain, kind):
        env = env_of(candidate.task)
        whole = env_of(candidate.task)
        expected = solve(whole)
        for number, call in enumerate(coming_calls(env)):
            fork: ToolEnv = pickle.loads(pickle.dumps(env.fork()))
            assert solve(fork) == expected[number:]
            assert fork.backend.changes() == whole.backend.changes()
            assert env.step(call) == expected[number]


@named
def test_a_trajectory_replays_exactly(domain: str, kind: str) -> None:
    """The record of the solution is valid, and its calls that came to faults are no errors of the agent's."""
    for candidate in proven(domain, kind):
        task = candidate.task
        trajectory = play(scripted("solution")({task.id: task}), task, env_of(task), pack="p", trial=0, seed=7)
        assert trajectory.success
        assert trajectory.errors == 0
        assert validate(trajectory, load_domain(domain), task).valid


@named
def test_a_task_is_its_line(domain: str, kind: str) -> None:
    """Faults survive JSON, and the same line comes again."""
    for candidate in proven(domain, kind):
        line = task_to_json(candidate.task)
        assert task_from_json(line) == candidate.task
        assert task_to_json(task_from_json(line)) == line


@pytest.mark.parametrize("domain", HERE)
def test_two_ways_to_time_out_look_alike(domain: str) -> None:
    """Whether the call was carried out does not show in its answer: only in what a look shows, and in the world."""
    task = proven(domain, "timeout")[0].task
    fault = task.faults[0]
    assert isinstance(fault, Timeout)
    other = replace(task, faults=(replace(fault, type="timeout_after"), *task.faults[1:]))
    seen = []
    for each in (task, other):
        env = env_of(each)
        for call in coming_calls(env):
            env.step(call)
            if env.calls[-1][1].error == "timeout":
                break
        seen.append((env.calls[-1][1], env.backend.changes()))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_limit_ends_when_its_seconds_have_passed() -> None:
    """Not before: waiting too short or only calling again is answered with what is left."""
    task, reading = calm(HERE[0])
    env = env_of(replace(task, faults=(RateLimit(reading.key, 1, 30),)))
    lefts = []
    for seconds in (0, 10, 19, 1):
        if seconds:
            assert orjson.loads(env.step(ToolCall(WAIT.name, {"seconds": seconds}))[0]) == {"waited": seconds}
        lefts.append(env.step(ToolCall(reading.name, {}))[4].get("error"))
    assert lefts == ["rate_limited", "rate_limited", "rate_limited", None]
    assert env.step(ToolCall(WAIT.name, {"seconds": 0}))[4]["error"] == "invalid_argument"


def test_a_tool_is_down_from_the_nth_call_on() -> None:
    """So many times, or for good; other tools are not."""
    task, reading = calm(HERE[0])
    for times, expected in ((2, [None, "unavailable", "unavailable", None]), (0, [None, "unavailable", "unavailable", "unavailable"])):
        env = env_of(replace(task, faults=(Unavailable(reading.key, 2, times),)))
        assert [env.step(ToolCall(reading.name, {}))[4].get("error") for _ in range(4)] == expected


def test_a_fault_of_any_tool_counts_all_calls() -> None:
    """The nth call overall is struck, whatever its tool; waiting is none."""
    task, reading = calm(HERE[0])
    other = next(t for t in load_domain(HERE[0]).tools.values() if t.origin.kind == "search" and t.key != reading.key)
    env = env_of(replace(task, faults=(Timeout("", 3),)))
    names = (reading.name, WAIT.name, other.name, reading.name, other.name)
    errors = [env.step(ToolCall(name, {"seconds": 1} if name == WAIT.name else {}))[4].get("error") for name in names]
    assert errors == [None, None, None, "timeout", None]


def test_marked_results_say_what_they_are() -> None:
    """A stale one of when it is, a cut one that it is cut; made again, the call is answered whole and fresh."""
    task, reading = calm(HERE[0])
    entity = reading.origin.entity
    whole = orjson.loads(env_of(task).step(ToolCall(reading.name, {}))[0])
    key = next(iter(reading.program.returns))
    first = whole[key][0]["id"]
    column = next(c for c in load_domain(HERE[0]).tables[entity].columns.values() if c.kind in ("int", "money") and c.name in whole[key][0])
    sql = f"UPDATE {entity} SET {column.name} = {column.name} + 100 WHERE id = '{first}'"
    stale = env_of(replace(task, faults=(StaleRead(reading.key, 1, (sql,), "2026-06-11T03:00"),)))
    seen = [orjson.loads(stale.step(ToolCall(reading.name, {}))[0]) for _ in range(2)]
    assert seen[0]["as_of"] == "2026-06-11T03:00"
    assert seen[0][key][0] != whole[key][0]
    assert seen[1] == whole
    assert stale.backend.changes() == ()
    cut = env_of(replace(task, faults=(Partial(reading.key, 1, 2),)))
    seen = [orjson.loads(cut.step(ToolCall(reading.name, {}))[0]) for _ in range(2)]
    assert seen[0] == {**whole, key: whole[key][:2], "partial": True}
    assert seen[1] == whole


def test_a_stale_read_leaves_the_writes_before_it() -> None:
    """What was done stays done, and the copy does not show it."""
    task = next(task for task in some_tasks("marina_berths", 40) if task.goal.alternatives[0].changes and not task.start.setup)
    domain = load_domain(task.domain)
    read = next(tool for tool in domain.tools.values() if tool.origin.kind == "search")
    env = env_of(replace(task, faults=(StaleRead(read.key, 1 + sum(s.name == read.name for s in task.solution), (), "2026-06-12T00:00"),)))
    for call in list(task.solution[:-1]):
        env.step(resolve(call, [orjson.loads(result.content) for _, result in env.calls]))
    before = env.backend.changes()
    assert before
    assert "as_of" in orjson.loads(env.step(ToolCall(read.name, {}))[0])
    assert env.backend.changes() == before
    assert env.step(resolve(task.solution[-1], [orjson.loads(result.content) for _, result in env.calls]))[1] == 1.0


@pytest.mark.parametrize("nth", [1, 2])
def test_an_old_copy_that_has_no_answer_is_not_asked(nth: int) -> None:
    """A row that was added since is found in the present state, as an error could not say of when it is; the next read is stale instead."""
    task = replace(some_tasks("marina_berths", 1)[0], faults=(StaleRead("get_holder", nth, (), "2026-06-11T03:00"),))
    env = env_of(task)
    known = orjson.loads(env.step(ToolCall("search_holders", {}))[0])["data"][0]["id"]
    for _ in range(nth - 1):
        assert "as_of" not in orjson.loads(env.step(ToolCall("fetch_holder", {"holder_id": known}))[0])
    new = {"name": "Ada Byron", "email": "ada@example.org", "phone": "+44 20 7946 0000", "since": "2026-06-12"}
    added = orjson.loads(env.step(ToolCall("add_holder", new))[0])["id"]
    for _ in range(2):
        content, _, _, _, info = env.step(ToolCall("fetch_holder", {"holder_id": added}))
        assert (orjson.loads(content)["id"], "as_of" in content, info) == (added, False, {})
    env = env.fork()
    marked = [orjson.loads(env.step(ToolCall("fetch_holder", {"holder_id": known}))[0]).get("as_of") for _ in range(2)]
    assert marked == ["2026-06-11T03:00", None]


def test_what_is_shown_follows_the_faults() -> None:
    """`wait` and the service notes exactly where there is a schedule; extra tools, cut and misleading descriptions as it says."""
    task, reading = calm(HERE[0])
    env = env_of(task)
    plain, _ = env.reset(options={"task": task})
    tools = {tool["function"]["name"]: tool["function"] for tool in env.tools}
    assert WAIT.name not in tools
    assert SERVICE not in plain
    assert env.step(ToolCall(WAIT.name, {"seconds": 1}))[4]["error"] == "unknown_tool"
    written = next(tool for tool in load_domain(HERE[0]).tools.values() if tool.parameters["required"] and not tool.read_only)
    left_out = written.parameters["required"][0]
    extra = ExtraTool("grow_tomatoes", "Grow them.", {"type": "object", "properties": {}, "required": []})
    shown = replace(task, faults=(ExtraTools((extra,)), TerseDocs(reading.key), MisleadingDocs(written.key, left_out, "May be left out.")))
    text, info = env.reset(options={"task": shown})
    now = {tool["function"]["name"]: tool["function"] for tool in env.tools}
    assert SERVICE in text
    assert orjson.loads(info["tools"]) == list(env.tools)
    assert [*now][-2:] == [WAIT.name, "finish"]
    assert now.keys() - tools.keys() == {WAIT.name, extra.name}
    assert len(now[reading.name]["description"].split()) < len(tools[reading.name]["description"].split())
    assert left_out not in now[written.name]["parameters"]["required"]
    assert env.step(ToolCall(extra.name, {}))[4] == {"error": "refused", "reason": "not_connected"}
    assert env.step(ToolCall(written.name, {}))[4]["error"] == "outdated" or len(written.parameters["required"]) > 1


def test_a_renamed_parameter_is_told_by_its_errors() -> None:
    """The old name is refused and the new one named; the new one works, and errors speak of it."""
    domain = load_domain("clinic_roster")
    get = next(tool for tool in domain.tools.values() if tool.origin.kind == "get")
    old = get.parameters["required"][0]
    task = replace(some_tasks("clinic_roster", 1)[0], faults=(ChangedSchema(get.key, old, "its_code"),))
    env = env_of(task)
    told, _, _, _, info = env.step(ToolCall(get.name, {old: "X"}))
    assert (info["error"], "'its_code'" in told) == ("outdated", True)
    missing, _, _, _, info = env.step(ToolCall(get.name, {}))
    assert (info["error"], "'its_code'" in missing, f"'{old}'" in missing) == ("missing_argument", True, False)
    assert env.step(ToolCall(get.name, '{"its_code": "X"}'))[4]["reason"] == "not_found"


@pytest.mark.parametrize("domain", HERE)
def test_causes_name_what_was_not_recovered_from(domain: str) -> None:
    """Obeying an injection, repeating unseen, giving up after a fault that passes, each has its cause."""
    for kind, cause in (("injected", "followed_injection"), ("timeout_after", "did_twice")):
        candidate = proven(domain, kind)[0]
        assert found_cause(candidate.task, recovery_of(candidate).naive[0]) == cause
    for kind in ("unavailable", "rate_limit"):
        task = proven(domain, kind)[0].task
        number = next(n for n, (_, result) in enumerate(played(task, task.solution).calls) if result.error in FAULTS)
        gave_up = (*task.solution[: number + 1], SolutionStep("finish", {"outcome": "impossible", "about": "x"}))
        assert found_cause(task, gave_up) == "gave_up_after_fault"


def found_cause(task: Task, steps: tuple[SolutionStep, ...]) -> str:
    """The cause of the failure of an agent that makes these steps."""
    agent = scripted("solution")({task.id: replace(task, solution=steps)})
    env = env_of(task)
    evidence = Examiner(env).examine(play(agent, task, env, pack="p", trial=0, seed=1), task)
    assert evidence is not None
    found = cause_of(evidence)
    assert found is not None
    return found.code


@pytest.mark.parametrize("domain", HERE)
def test_the_rule_agent_plays_on(domain: str) -> None:
    """It knows nothing of faults, and comes to an end with all of them."""
    for kind in TYPES:
        for candidate in proven(domain, kind):
            task = candidate.task
            assert play(scripted("rule")({}), task, env_of(task), pack="p", trial=0, seed=1).ending is not None


@pytest.mark.parametrize("domain", HERE)
def test_the_teacher_says_what_it_notices(domain: str) -> None:
    """A word beside the recovery, whatever the type; and of a tool that is down, that it is down."""
    for kind in TYPES:
        task = proven(domain, kind)[0].task
        said = play(scripted("solution")({task.id: task}), task, env_of(task), pack="p", trial=0, seed=3).steps
        assert any(step.text for step in said[1:-1]) or kind == "injected", kind


@pytest.mark.parametrize("domain", HERE)
def test_a_tool_that_is_down_has_a_twin_in_which_it_comes_back(domain: str) -> None:
    """Same request and start; one is given up after as many tries as are documented, the other is done within them."""
    down, back = (candidate.task for candidate in proven(domain, "down"))
    assert (down.request, down.start) == (back.request, back.start)
    assert [task.goal.alternatives[0].outcome for task in (down, back)] == ["impossible", "done"]
    tries = [[result.error for _, result in played(task, task.solution).calls].count("unavailable") for task in (down, back)]
    assert tries == [DOWN_AFTER, DOWN_AFTER - 1]


@cache
def calm(domain: str) -> tuple[Task, Any]:
    """A task of a domain, and a search of it that lists under a key."""
    tools = load_domain(domain).tools.values()
    return some_tasks(domain, 1)[0], next(tool for tool in tools if tool.origin.kind == "search" and "" not in tool.program.returns)


def strikes(keys: list[str]) -> st.SearchStrategy[Fault]:
    """Any fault about any of these tools."""
    tool, nth = st.sampled_from(["", *keys]), st.integers(1, 6)
    name = st.sampled_from(["id", "name", "page", "stay_id", "boat_id", "kwh", "no_such"])
    return st.one_of(
        st.builds(Timeout, tool, nth, st.sampled_from(["timeout", "timeout_after"])),
        st.builds(RateLimit, tool, nth, st.integers(1, 600)),
        st.builds(Unavailable, tool, nth, st.integers(0, 3)),
        st.builds(StaleRead, tool, nth, st.just(()), st.just("2026-01-01T00:00")),
        st.builds(Partial, tool, nth, st.integers(0, 30)),
        st.builds(ChangedSchema, tool, name, name),
        st.builds(MisleadingDocs, tool, name, st.text(max_size=9)),
        st.builds(TerseDocs, tool),
        st.builds(Injected, st.sampled_from(["H-0045", "S-00272", "B-0065"]), st.text(max_size=20), tool, st.just({})),
        st.builds(ExtraTools, st.just((ExtraTool("grow", "Grow.", {"type": "object", "properties": {}, "required": []}),))),
    )


KEYS = sorted(tool.key for tool in load_domain("marina_berths").tools.values())


@settings(max_examples=60)
@given(st.data())
def test_any_schedule_loses_nothing(data: st.DataObject) -> None:
    """Whatever goes wrong: no call raises, what the world holds is what was carried out, forks and JSON carry it on."""
    task = some_tasks("marina_berths", 8)[data.draw(st.integers(0, 7))]
    faults = tuple(data.draw(st.lists(strikes(KEYS), min_size=1, max_size=4)))
    assert faults_from_json(orjson.loads(orjson.dumps(faults_to_json(faults)))) == faults
    env = env_of(replace(task, faults=faults))
    domain = env.domain
    mirror = LocalBackend(domain)
    mirror.reset(task.start)
    values: list[Any] = []
    for step in [*task.solution[:-1], *task.solution[:-1]]:
        try:
            call = resolve(step, values)
        except LookupError:
            values.append(None)
            continue
        before = env.backend.changes()
        if len(env.calls) == 2:
            env = env.fork()
        content, _, _, _, info = env.step(call)
        values.append(orjson.loads(content))
        if info.get("error") is None or (info["error"] == "timeout" and env.backend.changes() != before):
            mirror.call(call)
        assert env.backend.changes() == mirror.changes()
    assert isinstance(env.backend, FaultyBackend)


def test_a_vector_plays_them_too() -> None:
    """Side by side, as one by one."""
    tasks = [candidate.task for kind in TYPES for candidate in proven(HERE[0], kind)]
    vector = ToolVectorEnv(env_of(tasks[0]), 2, autoreset_mode="Disabled")
    vector.reset(seed=1)
    for task in tasks:
        alone = env_of(task)
        vector.reset(options={"task": task})
        for call in coming_calls(alone):
            observation, reward, *_ = alone.step(call)
            together = vector.step([call, call])
            assert (together[0], list(together[1])) == ((observation, observation), [reward, reward])


def test_a_pack_whose_copy_is_no_change_of_rows_is_refused(tmp_path: Path) -> None:
    """SQL in a schedule is vetted as that of a start; what is sound comes back the same."""
    task = proven(HERE[0], "stale_read")[0].task
    domains = {task.domain: load_domain(task.domain)}
    save_pack(tmp_path / "sound", domains, [task], dropped={}, seed=0)
    assert load_pack(tmp_path / "sound").tasks == (task,)
    stale = next(fault for fault in task.faults if isinstance(fault, StaleRead))
    save_pack(tmp_path / "odd", domains, [replace(task, faults=(replace(stale, copy=("DROP TABLE boat",)),))], dropped={}, seed=0)
    with pytest.raises(PackError, match="DROP TABLE boat"):
        load_pack(tmp_path / "odd")


def test_a_schedule_goes_on_in_a_task_of_its_own() -> None:
    """A task that starts in the middle of another's episode is its line, schedule included."""
    task, reading = calm(HERE[0])
    task = replace(task, faults=(Unavailable(reading.key, 1, 2),))
    env = env_of(task)
    env.step(ToolCall(reading.name, {}))
    later = task_from_json(task_to_json(replace(task, start=env.backend.snapshot())))
    assert [env_of(later).step(ToolCall(reading.name, {}))[4].get("error")] == ["unavailable"]
    env.step(ToolCall(reading.name, {}))
    assert "error" not in env_of(replace(task, start=env.backend.snapshot())).step(ToolCall(reading.name, {}))[4]


def test_two_backends_fare_alike() -> None:
    """Faults go around any backend: what is proven in two at once holds in both, snapshots and net changes included."""
    domain = load_domain(HERE[0])
    mirrored = MirroredBackend(LocalBackend(domain), LocalBackend(domain))
    for kind in TYPES:
        for candidate in proven(HERE[0], kind):
            assert Prover(domain, mirrored).prove(candidate.task, candidate.described, candidate.recovery) == ""
            mirrored.snapshot()


def test_no_faults_no_wrapper() -> None:
    """Where nothing goes wrong on purpose, the backend is the world's own."""
    task, _ = calm(HERE[0])
    backend = LocalBackend(load_domain(HERE[0]))
    assert faulty(backend, load_domain(HERE[0]), task) is backend
    assert isinstance(env_of(task).backend, LocalBackend)


@pytest.mark.parametrize(
    "record",
    [
        {"type": "earthquake"},
        {"type": "timeout", "tool": 7},
        {"type": "partial", "tool": "a", "keep": -1},
        {"type": "rate_limit", "tool": "a", "retry_after": 0},
        {"type": "timeout", "tool": "a", "nth": 0},
        {"type": "timeout", "tool": "a", "often": 2},
    ],
    ids=str,
)
def test_what_is_no_fault_is_told(record: dict[str, Any]) -> None:
    """A schedule of a stranger's file is read strictly."""
    with pytest.raises(ValueError, match="type|tool|keep|retry_after|nth|often"):
        faults_from_json([record])


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_recoveries(domain: str) -> None:
    """Of every domain of the catalogue: what is admitted is solved by its solution, the same for the same seed, and survives its line."""
    one, other = Factory(load_domain(domain), 11), Factory(load_domain(domain), 11)
    pairs = [pair for number in range(8) if (pair := one.attempt("recovery", number))]
    assert len(pairs) > 3
    assert [other.attempt("recovery", 7)] == [one.attempt("recovery", 7)]
    env = make_env(domain)
    for task in (task for pair in pairs for task in pair):
        assert task.faults
        assert task_from_json(task_to_json(task)) == task
        env.reset(options={"task": task})
        assert solve(env)[-1][1] == 1.0


def consented(domain: str) -> tuple[Task, Any]:
    """A task whose one write needs a yes that the user gives, and the tool of that write."""
    tools = load_domain(domain).tools
    for task in (each for each in Factory(load_domain(domain), 5).tasks("confirmation", 12) if each.goal.alternatives[0].changes):
        writes = [step.name for step in task.solution if step.name in tools and not tools[step.name].read_only]
        if len(writes) == 1:
            return task, tools[writes[0]]
    raise AssertionError("no such task")


@pytest.mark.parametrize(("kind", "judged"), [("timeout_after", "broken_rule"), ("timeout", "")])
@pytest.mark.parametrize("domain", HERE)
def test_a_change_that_got_no_answer_is_a_change(domain: str, kind: Any, judged: str) -> None:
    """Made before the user was asked it breaks the rule, though they say yes after it; a call that was not carried out breaks nothing."""
    task, write = consented(domain)
    task = replace(task, faults=(Timeout(write.key, 1, kind),))
    env = env_of(task)
    said = [step for step in task.solution if step.name == RESPOND.name]
    rest = [step for step in task.solution if step.name not in (RESPOND.name, "finish")]
    again = [] if kind == "timeout_after" else [step for step in rest if step.name == write.name]
    values: dict[int, Any] = {}
    for step in (*rest, *said, *again, task.solution[-1]):
        number = task.solution.index(step)
        content = env.step(resolve(step, [values.get(place) for place in range(number)]))[0]
        values[number] = orjson.loads(content)
    assert [result.error for _, result in env.calls].count("timeout") == 1
    assert env.judgement.reason == judged
    assert not env.judgement.success or not judged


def test_policies_see_the_same_of_calls_wherever_they_are_checked() -> None:
    """What was carried out is no error, answered or not; whatever else came to one is, by its reason or its kind, and keys stand for names."""
    task, write = consented(HERE[0])
    domain = load_domain(HERE[0])
    arguments = next(dict(call.arguments) for call, _ in played(task, task.solution).calls if call.name == write.name)
    call = ToolCall(write.name, orjson.dumps(arguments).decode())
    seen = {}
    for fault in (Timeout(write.key, 1), Timeout(write.key, 1, "timeout_after"), Unavailable(write.key), RateLimit(write.key)):
        env = env_of(replace(task, faults=(fault,)))
        env.step(call)
        seen[fault.type] = listed(env.calls, domain)
    carried_out = env_of(task)
    carried_out.step(call)
    assert seen["timeout_after"] == listed(carried_out.calls, domain)
    assert [seen[kind][0][2] for kind in ("timeout", "unavailable", "rate_limit")] == ["timeout", "unavailable", "rate_limited"]
    assert {one[:2] == (write.key, arguments) for (one,) in seen.values()} == {True}
    carried_out.step(ToolCall("no_such", "{"))
    assert listed(carried_out.calls, domain)[1] == ("no_such", {}, "unknown_tool")
