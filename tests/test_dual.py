"""Dual control: users act in the same world, once, and only when they are asked to; and the reference never fails by it."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.agent import scripted
from agents.bench.causes import cause_of
from agents.bench.evidence import Examiner
from agents.cli.tasks import print_task
from agents.episode import play
from agents.model_user import audit, portrait
from agents.trajectory import Trajectory
from agents.validate import validate
from envs import ToolEnv, worlds_of
from playing import DOMAINS, Fixed, coming_calls, solve
from synthtools.codec import task_from_json, task_to_json
from synthtools.fault import Unavailable
from synthtools.finish import abilities
from synthtools.generate import SHARES, Factory
from synthtools.goal import Judgement
from synthtools.instruction import Doing, bidden
from synthtools.load import load_domain
from synthtools.manifest import TaskLine
from synthtools.task import Task
from synthtools.tool import ToolCall
from synthtools.user import RESPOND, Deed, User, replies, reply, user_from_json, user_to_json
from synthtools.voices import VOICES

CANCELLING = Doing(("cancel", "withdraw"), ("stay", "booking"), ("S-00123",))
CHECKING = Doing(("check in",), ("stay", "booking"), ("S-00123",))
PLEAS = (
    "Could you please {v} it in your own account?",
    "Please {v} {n}.",
    "I cannot do this from here, so please {v} the {o} yourself.",
    "Only you can {v} the {o}. Could you do that in your account, please?",
    "You need to {v} the {o} yourself.",
    "Please do the following in your account:\n- {V} the {o}",
    "Could you go into your account and {v} the {o}?",
    "I need you to {v} the {o}, please.",
    "{V} {n} in your own account, please.",
    "I found it: {n}. Please {v} it with your own sign-in and tell me how it went.",
    "**Please {v} {n}** in your account.",
)
"""What asks the user to act, in many ways."""
OTHERS = (
    "Shall I {v} the {o}?",
    "Do you want me to {v} the {o}?",
    "Would you like me to {v} {n}?",
    "Which {o} do you want to {v}?",
    "Could you tell me which {o} to {v}?",
    "Please confirm that I should {v} the {o}.",
    "I will {v} the {o} now, please wait.",
    "Please wait while I {v} the {o}.",
    "Please do not {v} the {o}.",
    "Please never {v} {n}.",
    "You need to {v} the {o}?",
    "You want me to {v} the {o}. May I go ahead?",
    'You said: "Please {v} the {o}."',
    "You asked me to please {v} the {o}.",
    "I can't {v} the {o}.",
    "Please give me the number of the {o} to {v}.",
    "Please let me know if I should {v} the {o}.",
    "Shall I go ahead and {v} the {o}?",
    "Could you look at the {o}?",
    "Can you do it?",
    "Please {v} S-99999.",
)
"""What speaks of the same, and asks for something else or for nothing."""


def put(form: str, verb: str) -> str:
    """A form with its words."""
    return form.replace("{v}", verb).replace("{V}", verb.capitalize()).replace("{o}", "stay").replace("{n}", "stay S-00123")


@cache
def pair_of(domain: str) -> tuple[Task, Task]:
    """The first pair of twins of a domain."""
    factory = Factory(load_domain(domain), 11)
    done, undone = next(made for number in range(60) if (made := factory.attempt("dual_control", number)))
    return replace(done, id=f"{domain}/dual_control/0000a"), replace(undone, id=f"{domain}/dual_control/0000b")


def env_of(task: Task, reward: str = "success") -> ToolEnv:
    """An environment over the task's domain, at the task's beginning."""
    env = ToolEnv(worlds_of([task], {task.domain: load_domain(task.domain)}), reward=reward)  # type: ignore[arg-type]
    env.reset(options={"task": task})
    return env


def said(text: str) -> ToolCall:
    """A call of `respond`."""
    return ToolCall(RESPOND.name, {"text": text})


def pleas(env: ToolEnv) -> list[ToolCall]:
    """What the solution says, played in the environment."""
    solve(env)
    return [call for call, _ in env.calls if call.name == RESPOND.name]


def user_of(task: Task) -> User:
    """The task's user."""
    assert task.user is not None
    return task.user


@pytest.mark.parametrize("blanks", ["  ", "\t", "\u00a0 ", " " * 200])
@pytest.mark.parametrize("form", [*PLEAS, *OTHERS])
def test_runs_of_blanks_are_one_blank(form: str, blanks: str) -> None:
    """Whatever a text asks for it asks for with any blanks between its words, and so does one that asks for nothing; line breaks stay breaks."""
    text = put(form, "cancel")
    assert bidden(text.replace(" ", blanks), [CANCELLING]) == bidden(text, [CANCELLING]) == ([0] if form in PLEAS else [])


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_reference_always_succeeds(domain: str) -> None:
    """In every domain, both twins, in every manner and with several seeds: reward 1, by a call that the agent could not have made."""
    for task in pair_of(domain):
        (deed,) = user_of(task).deeds
        assert task.withheld == (deed.tool,)
        for number, manner in enumerate(VOICES):
            other = replace(task, user=replace(user_of(task), manner=manner, seed=number))
            env = env_of(other)
            assert (solve(env)[-1][1], env.judgement) == (1.0, Judgement(True)), other.request
            assert load_domain(domain).tool(deed.tool).name not in [call.name for call, _ in env.calls]
            assert bool(env.backend.changes()) is deed.able


@pytest.mark.parametrize("domain", DOMAINS)
def test_twins_are_told_apart_by_asking_alone(domain: str) -> None:
    """The same request, rule, tools and opening; whoever does not ask fails in both, whatever they end with."""
    done, undone = pair_of(domain)
    first, second = env_of(done), env_of(undone)
    assert first.reset(options={"task": done})[0] == second.reset(options={"task": undone})[0]
    assert first.tools == second.tools
    ability = abilities(first.domain)[user_of(done).deeds[0].tool]
    assert ability in done.rules[0].text
    assert [task.goal.alternatives[0].outcome for task in (done, undone)] == ["done", "impossible"]
    assert undone.goal.alternatives[0].about == ability
    for task in (done, undone):
        env = env_of(task)
        solve(env)
        ends = [env.calls[-1][0], ToolCall("finish", {"outcome": "done"}), ToolCall("finish", {"outcome": "impossible", "about": ability})]
        silent = [call for call, _ in env.calls[:-1] if call.name != RESPOND.name]
        for end in ends:
            env = env_of(task)
            for call in (*silent, end):
                env.step(call)
            assert not env.judgement.success


@pytest.mark.parametrize("domain", DOMAINS[:3])
def test_forks_replays_and_pickles_go_on_alike(domain: str) -> None:
    """From any step, in a fork and in a pickle, the rest is the same, the deed is done once at most, and the record is valid."""
    for task in pair_of(domain):
        whole = env_of(task)
        solve(whole)
        env = env_of(task)
        for call in coming_calls(env):
            for other in (env.fork(), pickle.loads(pickle.dumps(env))):
                solve(other)
                assert other.calls == whole.calls
                assert other.backend.changes() == whole.backend.changes()
                assert other.judgement == whole.judgement
            env.step(call)
        assert env.calls == whole.calls
        made = play(scripted("solution")({task.id: task}), task, env_of(task), pack="p", trial=0, seed=3)
        assert made.success
        assert validate(made, load_domain(domain), task).valid
        step = next(step for step in made.steps if step.call.name == RESPOND.name)
        lie = replace(step, result=replace(step.result, content=step.result.content.replace('"}', ' Really."}')))
        forged = replace(made, steps=tuple(lie if each is step else each for each in made.steps))
        assert validate(forged, load_domain(domain), task).reason == "result"


def test_a_deed_is_done_once() -> None:
    """Asked again, in a fork too, the user says that it is behind them, and the world stays as it is."""
    for domain in DOMAINS:
        env = env_of(pair_of(domain)[0])
        plea = pleas(env)[0]
        env = env_of(env.task)
        assert not env.backend.changes()
        env.step(plea)
        changes = env.backend.changes()
        assert changes
        for other in (env, env.fork()):
            told = orjson.loads(other.step(plea)[0])["reply"]
            assert told in VOICES[user_of(env.task).manner]["again"]
            assert other.backend.changes() == changes


def test_what_the_user_is_refused_is_told() -> None:
    """In the words of the tool's own error; nothing has changed by it, and both calls were made in order."""
    task = pair_of("marina_berths")[0]
    (deed,) = user_of(task).deeds
    twice = replace(task, user=replace(user_of(task), deeds=(deed, deed)))
    env = env_of(twice)
    plea = pleas(env_of(task))[0]
    told = orjson.loads(env.step(plea)[0])["reply"]
    forms = [form.partition("{v}")[0] for form in VOICES[user_of(task).manner]["refused"]]
    assert any(form in told for form in forms)
    alone = env_of(task)
    alone.step(plea)
    assert env.backend.changes() == alone.backend.changes()
    number = next(iter(deed.doing.ids))
    assert number in told


def test_no_fault_strikes_what_the_user_does() -> None:
    """The service is down for the agent, and the user gets on with it; the schedule is where it was."""
    task = pair_of("marina_berths")[0]
    deed = user_of(task).deeds[0]
    env = env_of(replace(task, faults=(Unavailable(deed.tool, 1, 0), Unavailable("", 99, 1))))
    solve(env)
    assert env.judgement == Judgement(True)
    plain = env_of(task)
    solve(plain)
    assert env.backend.changes() == plain.backend.changes()


def test_the_shaped_reward_sees_it() -> None:
    """The step in which the user acts is nearer to the goal."""
    env = env_of(pair_of("marina_berths")[0], reward="shaped")
    steps = solve(env)
    told = [step[1] for step, (call, _) in zip(steps, env.calls, strict=True) if call.name == RESPOND.name]
    assert told[0] > 0.4


def test_changing_something_before_asking_breaks_the_rule() -> None:
    """The agent's own part of the job first, and the user's after it: all is done, and a rule is broken; the user's own call breaks none."""
    changing = {domain: {tool.name for tool in load_domain(domain).tools.values() if not tool.read_only} for domain in DOMAINS}
    mixed = [task for domain in DOMAINS for task in pair_of(domain)[:1] if {step.name for step in task.solution} & changing[domain]]
    assert mixed
    broken = 0
    for task in mixed:
        env = env_of(task)
        plea = pleas(env)[0]
        late = [call for call, _ in env.calls if call.name != RESPOND.name]
        env = env_of(task)
        for call in (*late[:-1], plea, late[-1]):
            env.step(call)
        assert not env.judgement.success
        broken += env.judgement.reason == "broken_rule"
    assert broken


@pytest.mark.parametrize("verb", ["cancel", "withdraw"])
def test_pleas_are_understood(verb: str) -> None:
    """By verb and object, however they are put; what asks for something else is no plea, and a part of a verb is not the verb."""
    assert [form for form in PLEAS if bidden(put(form, verb), [CANCELLING]) != [0]] == []
    assert [form for form in OTHERS if bidden(put(form, verb), [CANCELLING])] == []
    assert [form for form in PLEAS if bidden(put(form, verb), [CHECKING])] == []
    assert bidden("Please check the stay in yourself.", [CHECKING]) == [0]
    assert bidden("Please check the stay.", [CHECKING]) == []


ADDRESS = re.compile(r"\b(?:please|kindly|you|your|yourself|you'\w+)\b", re.IGNORECASE)
WORDS = st.sampled_from("cancel withdraw stay booking S-00123 it the a I can will must shall not do and , . ? could now account sign-in app".split())


@given(st.lists(WORDS, min_size=1, max_size=30).map(" ".join) | st.text(max_size=200))
@settings(max_examples=400)
def test_nothing_is_done_that_nobody_was_asked_to_do(text: str) -> None:
    """Words of the deed itself, in any order, move nobody who is not spoken to."""
    if not ADDRESS.search(text):
        assert bidden(text, [CANCELLING, CHECKING]) == []


ACTING = User("plain", 1, "Do it.", deeds=(Deed("cancel_stay", {"stay_id": "S-00123"}, CANCELLING, "cancel the stay"),))
LINES = st.lists(
    st.sampled_from([put(form, "cancel") for form in (*PLEAS, *OTHERS)]) | st.lists(WORDS, max_size=9).map(" ".join) | st.text(max_size=60),
    min_size=1,
    max_size=8,
)


@given(LINES, st.sampled_from(sorted(VOICES)), st.integers(0, 2**53), st.booleans())
@settings(max_examples=200)
def test_it_is_done_at_the_first_plea_and_never_again(heard: list[str], manner: str, seed: int, able: bool) -> None:
    """Whatever else is said before and after; by none who cannot; and what is said is a function of what was heard."""
    user = replace(ACTING, manner=manner, seed=seed, deeds=(replace(ACTING.deeds[0], able=able),), patience=99)
    made = replies(user, heard)
    assert all(reply(user, heard[: number + 1]) == each for number, each in enumerate(made))
    asked = [number for number, text in enumerate(heard) if bidden(text, [CANCELLING])]
    assert [number for number, each in enumerate(made) if each.bidden] == asked
    assert [number for number, each in enumerate(made) if each.deeds] == (asked[:1] if able else [])


MOVES = [put(form, "cancel") for form in OTHERS]


@given(st.lists(st.sampled_from(MOVES) | st.text(min_size=1, max_size=40), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_world_stands_still_while_nothing_is_asked_for(texts: list[str]) -> None:
    """Of a real task, said in the environment."""
    env = _STANDING
    env.reset(options={"task": env.task})
    doing = user_of(env.task).deeds[0].doing
    for text in texts:
        env.step(said(text))
    if not any(bidden(text, [doing]) for text in texts):
        assert not env.backend.changes()


_STANDING = env_of(pair_of("marina_berths")[0])


def cause(task: Task, calls: list[ToolCall]) -> str:
    """Why an episode of these calls failed."""
    env = env_of(task)
    made: Trajectory = play(Fixed(calls), task, env, pack="p", trial=0, seed=1)
    evidence = Examiner(env).examine(made, task)
    assert evidence is not None
    found = cause_of(evidence)
    return "" if found is None else found.code


def test_why_it_failed() -> None:
    """Nobody was asked, or for something else; the user could not, and it was called done; the user did it, and it was called impossible."""
    done, undone = pair_of("marina_berths")
    plea = pleas(env_of(done))[0]
    claim, no = ToolCall("finish", {"outcome": "done"}), ToolCall("finish", {"outcome": "impossible", "about": "cancel stay"})
    assert cause(done, [claim]) == cause(done, [no]) == cause(undone, [no]) == cause(undone, [claim]) == "never_asked"
    assert cause(done, [said("Which one do you mean?"), claim]) == "never_asked"
    assert cause(done, [plea, no]) == "gave_up"
    assert cause(undone, [plea, claim]) == "missed_refusal"


def test_tasks_are_written_and_read_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and back, strictly; users of before have no deeds; people read who does what."""
    for task in (task for domain in DOMAINS for task in pair_of(domain)):
        line = task_to_json(task)
        TaskLine.model_validate_json(line)
        assert task_from_json(line) == task
    old = user_to_json(replace(user_of(task), deeds=()))
    assert "deeds" not in old
    assert user_from_json(old).deeds == ()
    for task, words in zip(pair_of("marina_berths"), ("does, when asked: ", "cannot: "), strict=True):
        print_task(task, load_domain(task.domain))
        assert words + user_of(task).deeds[0].label in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("able", "heard", "words", "kind"),
    [
        (True, "Please cancel the stay yourself.", "Fine, let me do that.", ""),
        (True, "Please cancel the stay yourself.", "Sorry, I can't do that.", "deed"),
        (False, "Please cancel the stay yourself.", "Sorry, I can't do that.", ""),
        (False, "Please cancel the stay yourself.", "Fine, let me do that.", "deed"),
        (True, "Which stay is it?", "I've cancelled it.", "deed"),
        (True, "Which stay is it?", "I could not say.", ""),
    ],
)
def test_a_model_in_the_part_is_held_to_it(able: bool, heard: str, words: str, kind: str) -> None:
    """It is told what it can do, and is flagged where its words are not what the script does; the script itself never is."""
    user = replace(ACTING, deeds=(replace(ACTING.deeds[0], able=able),))
    assert "cancel the stay" in portrait(user)
    script = replies(user, [heard])
    found = audit(user, [heard], script, words)
    assert (found[0] if found else "") == kind
    for manner in VOICES:
        own = replies(replace(user, manner=manner), [heard])
        assert audit(user, [heard], own, own[-1].text) is None


def test_it_has_a_share() -> None:
    """One task in twenty of a pack."""
    assert SHARES["dual_control"] == 0.05
    assert sum(SHARES.values()) == pytest.approx(1)
