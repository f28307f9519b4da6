"""Scripted users: they tell what they are asked and nothing else, stay while talking leads somewhere, and never fail a right agent."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.agent import Opening, Turn
from agents.bench.causes import cause_of
from agents.bench.evidence import Examiner
from agents.conversation import Conversation, as_text
from agents.episode import play
from agents.teacher import SolutionAgent
from agents.validate import validate
from envs import ToolEnv, worlds_of
from playing import DOMAINS, Fixed, coming_calls, solve
from synthtools.codec import task_from_json, task_to_json
from synthtools.generate import SHARES, Factory, quotas
from synthtools.goal import Judgement
from synthtools.hearing import Topic, confirms, questions, topics_in
from synthtools.load import load_domain
from synthtools.manifest import TaskLine
from synthtools.rule import broken_rules
from synthtools.task import Task
from synthtools.tool import ToolCall
from synthtools.user import RESPOND, Decision, Fact, User, replies, reply, user_from_json, user_to_json
from synthtools.voices import FORMS, VOICES

TALKING = ("missing_information", "confirmation", "identity")
BERTH = Fact("berth_id", "berth", Topic("row", ("berth", "mooring")), "berth QX7")
NIGHTS = Fact("nights", "nights", Topic("number", ("nights",)), "ninety-one")
LEAVES = Fact("leaves", "leaves date", Topic("day", ("leaves", "departure")), "3 Octember")
FACTS = (BERTH, NIGHTS, LEAVES)
MANNERS = st.sampled_from(sorted(VOICES))
SEEDS = st.integers(0, 2**53)


def person(manner: str = "plain", seed: int = 1, **settings: object) -> User:
    """Somebody who knows three things."""
    return replace(User(manner, seed, "Do it.", FACTS), **settings)  # type: ignore[arg-type]


@cache
def tasks_of(domain: str) -> tuple[Task, ...]:
    """The first tasks of each kind with a user in it; of twins both."""
    factory = Factory(load_domain(domain), 11)
    found: list[Task] = []
    for kind in TALKING:
        found += next((made for number in range(40) if (made := factory.attempt(kind, number))), ())
    return tuple(replace(task, id=f"{domain}/{task.kind}/{number:04d}") for number, task in enumerate(found))


def env_of(task: Task) -> ToolEnv:
    """An environment over the task's domain, at the task's beginning."""
    env = ToolEnv(worlds_of([task], {task.domain: load_domain(task.domain)}))
    env.reset(options={"task": task})
    return env


def some(kind: str, *, outcome: str = "done") -> Task:
    """A task of a kind with such an end."""
    return next(t for name in DOMAINS for t in tasks_of(name) if t.kind == kind and t.goal.alternatives[0].outcome == outcome)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_reference_always_succeeds(domain: str) -> None:
    """Of every domain, with every manner and several seeds: the solution ends with reward 1, and the user is still there."""
    tasks = tasks_of(domain)
    assert {task.kind for task in tasks} >= {"missing_information", "confirmation"}
    for task in tasks:
        assert task.user is not None
        for number, manner in enumerate(VOICES):
            other = replace(task, user=replace(task.user, manner=manner, seed=number))
            env = env_of(other)
            assert (solve(env)[-1][1], env.judgement) == (1.0, Judgement(True)), other.request
            assert len([call for call, _ in env.calls if call.name == RESPOND.name]) >= 1


@pytest.mark.parametrize("domain", DOMAINS[:3])
def test_forks_replays_and_pickles_talk_on_alike(domain: str) -> None:
    """From any step, in a fork and in a pickle, the rest of the conversation is the same; played again it is the same bytes."""
    for task in tasks_of(domain):
        whole = env_of(task)
        solve(whole)
        env = env_of(task)
        for call in coming_calls(env):
            for other in (env.fork(), pickle.loads(pickle.dumps(env))):
                solve(other)
                assert other.calls == whole.calls
                assert other.judgement == whole.judgement
            env.step(call)
        assert env.calls == whole.calls


@pytest.mark.parametrize("domain", DOMAINS)
def test_other_questions_are_understood_too(domain: str) -> None:
    """However one asks for a fact by the words of its tool's own schema or of the user's; and a yes is never said to a guess."""
    for task in tasks_of(domain):
        assert task.user is not None
        for fact in task.user.facts:
            names = (fact.slot, fact.slot.replace("_", " ").removesuffix(" id"), fact.label, fact.label.upper())
            forms = ("Which {n}?", "What is the {n}, please?", "I need the {n} to go on.", "Could you give me\n- {n}", "Please let me know the {n}")
            for text in (form.replace("{n}", name) for form in forms for name in names):
                assert fact.slot in reply(task.user, ("Hello.", text)).asked, text
        if task.kind == "missing_information":
            for text in ("Do you mean C12?", "Is it the first one?", "Shall I go ahead?", "I found two. Should I take S-00001?"):
                said = reply(task.user, (text,))
                assert not said.decided
                assert said.gave or said.text in VOICES[task.user.manner]["as_asked"] or said.asked, said.text


def test_twins_have_one_request() -> None:
    """What the user says when asked is all that tells twins apart; one must be done, the other must not."""
    for kind in ("confirmation", "identity"):
        for name in DOMAINS:
            pair = [task for task in tasks_of(name) if task.kind == kind]
            if not pair:
                continue
            assert (pair[0].request, pair[0].start, pair[0].rules) == (pair[1].request, pair[1].start, pair[1].rules)
            assert [task.goal.alternatives[0].outcome for task in pair] == ["done", "not_allowed"]
            assert not pair[1].goal.alternatives[0].changes


IDLE = "hello there thanks I looked around for it today blue seven boats found go well".split()
LINES = st.lists(st.text(max_size=60) | st.sampled_from(["Which berth?", "How many nights?", "When is it?", "ok"]), min_size=1, max_size=8)


@given(st.lists(st.sampled_from(IDLE), min_size=1), MANNERS, SEEDS)
def test_nothing_is_told_unasked(said: list[str], manner: str, seed: int) -> None:
    """Words that ask for nothing are told nothing, whatever else they are; nor is a question about something else."""
    user = person(manner, seed)
    for text in (" ".join(said), f"{' '.join(said)}?", f"Do you like {' '.join(said)}?"):
        answer = reply(user, (text,))
        assert not answer.gave
        assert not any(fact.said in answer.text for fact in FACTS)


@given(LINES, MANNERS, SEEDS)
@settings(max_examples=200)
def test_only_what_was_asked_is_told(heard: list[str], manner: str, seed: int) -> None:
    """Whatever is said, in any order: a value stands in a reply exactly if its slot was asked for and given; and it is a function."""
    user = person(manner, seed, facts=(BERTH, replace(NIGHTS, given="when_pressed"), replace(LEAVES, given="corrected", wrong="2 Octember")))
    made = replies(user, heard)
    assert made == replies(user, tuple(heard))
    assert all(reply(user, heard[: number + 1]) == each for number, each in enumerate(made))
    for text, each in zip(heard, made, strict=True):
        asked = {FACTS[index].slot for index in topics_in(questions(text), [fact.topic for fact in FACTS])}
        assert set(each.gave) <= asked
        if not each.gone:
            assert {fact.slot for fact in FACTS if fact.said in each.text} == set(each.gave)


@given(st.permutations(FACTS), MANNERS, SEEDS)
def test_all_that_is_asked_at_once_is_told(order: list[Fact], manner: str, seed: int) -> None:
    """One question about everything, by name or by asking for the details, gets everything."""
    every = ("Which berth, how many nights, and until when?", "Please tell me the berth, the nights and the departure.", "What is missing?")
    for text in every:
        answer = reply(person(manner, seed, facts=tuple(order)), (text,))
        assert all(fact.said in answer.text for fact in FACTS)


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("Which berth do you mean?", ["berth_id"]),
        ("I found two boats.\nCould you tell me which mooring it is?", ["berth_id"]),
        ("How many nights will it be?", ["nights"]),
        ("When are you leaving?", ["leaves"]),
        ("To book this I need:\n- the berth\n- the departure", ["berth_id", "leaves"]),
        ("The berth is taken.", []),
        ("What is your favourite colour?", []),
        ("I will look at the nights now.", []),
    ],
)
def test_questions_are_understood(text: str, slots: list[str]) -> None:
    """By the words of a slot, or by the sort of its value; statements ask for nothing."""
    assert list(reply(person(), (text,)).gave) == slots


def test_facts_are_given_in_their_ways() -> None:
    """At once; on the second request only; wrong and put right in one breath. Asked again, they are told again."""
    ask = "Which berth is it?"
    assert [BERTH.said in each.text for each in replies(person(), (ask, ask, ask))] == [True, True, True]
    slow = person(facts=(replace(BERTH, given="when_pressed"),))
    assert [BERTH.said in each.text for each in replies(slow, (ask, ask, ask))] == [False, True, True]
    for manner in VOICES:
        slip = reply(person(manner, facts=(replace(BERTH, given="corrected", wrong="berth B2"),)), (ask,)).text
        assert 0 <= slip.index("berth B2") < slip.index(BERTH.said)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Shall I go ahead?", True),
        ("I would cancel stay S-1. Is that all right?", True),
        ("Please confirm that I should move it.", True),
        ("Cancel S-1?", True),
        ("I'll look that up.", False),
        ("Done. Anything else?", False),
        ("How can I help you?", False),
    ],
)
def test_a_yes_or_no_is_asked_for(text: str, asks: bool) -> None:
    """The decision is told to who asks for it, and to nobody else."""
    assert confirms(text) is asks
    user = person(facts=(), decision=Decision(False, "No, leave it."))
    assert (reply(user, (text,)).text == "No, leave it.") is asks


def test_patience_ends_after_turns_that_lead_nowhere() -> None:
    """So many of them and the user says goodbye and is gone; asking for what is new never costs any."""
    user = person(patience=3)
    idle = replies(user, ["Hm.", "Which berth?", "Hm.", "How many nights?", "Hm.", "Hello?"])
    assert [each.gone for each in idle] == [False, False, False, False, True, True]
    assert idle[-1].text == ""
    assert any(form in idle[4].text for form in VOICES["plain"]["bye"])


def test_the_episode_of_a_user_who_left_is_truncated() -> None:
    """One word later, and not scored as an ending; until then everything can still be done."""
    task = some("missing_information")
    assert task.user is not None
    env = env_of(replace(task, user=replace(task.user, patience=2)))
    hm = ToolCall(RESPOND.name, {"text": "Hm."})
    assert [env.step(hm)[2:4] for _ in range(2)] == [(False, False)] * 2
    assert env.fork().step(ToolCall("finish", {"outcome": "done"}))[2:4] == (True, False)
    _, reward, terminated, truncated, info = env.step(hm)
    assert (reward, terminated, truncated, info["judgement"]) == (0.0, False, True, "no_ending")
    assert env.step(hm)[4]["error"] == "episode_done"


def test_rules_are_broken_by_order_alone() -> None:
    """The same calls without the question, or with it too late, or a refusal without it: the judgement is a broken rule."""
    for kind in ("confirmation", "identity"):
        right = some(kind)
        env = env_of(right)
        steps = [step for step in coming_calls(env) if not env.step(step)[4].get("error")]
        ask = next(call for call in steps if call.name == RESPOND.name)
        silent = [call for call in steps if call is not ask]
        late = [*silent[:-1], ask, silent[-1]]
        for calls in (silent, late):
            env = env_of(right)
            for call in calls:
                env.step(call)
            assert env.judgement == Judgement(False, "broken_rule")
        refused = some(kind, outcome="not_allowed")
        env = env_of(refused)
        for call in coming_calls(env):
            if call.name != RESPOND.name:
                env.step(call)
            if env.terminated:
                break
    found = broken_rules(refused.rules, refused.user, [], None, env.domain)
    assert found == ()


def test_a_refusal_without_asking_is_none() -> None:
    """The right end, about the right rule and with the right answer, but nobody was asked."""
    for kind in ("confirmation", "identity"):
        task = some(kind, outcome="not_allowed")
        env = env_of(task)
        solve(env)
        ending = env.calls[-1][0]
        env = env_of(task)
        env.step(ending)
        assert env.judgement == Judgement(False, "broken_rule")


def test_what_is_on_file_must_be_looked_up() -> None:
    """A person who said who they are, but whose word was never compared with the records, is not identified."""
    task = some("identity")
    rule = replace(task.rules[0], shown=("nowhere on file",))
    env = env_of(replace(task, rules=(rule,)))
    solve(env)
    assert env.judgement == Judgement(False, "broken_rule")


def test_tasks_with_users_are_written_and_read() -> None:
    """As JSON and back, strictly; a task without a user says nothing of one, as in packs from before there were any."""
    for task in (task for name in DOMAINS for task in tasks_of(name)):
        line = task_to_json(task)
        TaskLine.model_validate_json(line)
        assert task_from_json(line) == task
    alone = orjson.loads(task_to_json(replace(task, user=None, rules=())))
    assert not {"user", "rules"} & alone.keys()
    assert task_from_json(orjson.dumps(alone)).user is None


@given(MANNERS, SEEDS, st.text(max_size=20))
def test_users_are_written_and_read(manner: str, seed: int, goal: str) -> None:
    """With everything that they know."""
    user = person(manner, seed, goal=goal, decision=Decision(True, "Yes."))
    assert user_from_json(orjson.loads(orjson.dumps(user_to_json(user)))) == user


@dataclass(slots=True)
class Speaking:
    """The reference, which says what it has to say as text alone."""

    tasks: Mapping[str, Task]
    name: str = "speaking"
    identity: str = "speaking"
    agent: SolutionAgent | None = None
    talk: Conversation | None = None
    heard: list[str] = field(default_factory=list)

    def begin(self, opening: Opening) -> None:
        """Start both."""
        self.agent, self.talk, self.heard = SolutionAgent(self.tasks), Conversation(opening, "", as_text), []
        self.agent.begin(opening)

    def act(self, observations: list[str]) -> Turn:
        """The reference's turn, spoken where it is said."""
        assert self.agent is not None
        assert self.talk is not None
        if len(self.talk.messages) > 2:
            self.talk.hear(observations)
        turn = self.agent.act(observations)
        call = turn.calls[0]
        if call.name == RESPOND.name and isinstance(call.arguments, dict):
            turn = self.talk.spoken(call.arguments["text"], 3)
        self.talk.take(turn)
        return turn


def test_text_alone_is_said_to_the_user() -> None:
    """It does not end the episode; in the chat the reply is the user's next message; the record is valid."""
    for kind in TALKING:
        task = some(kind)
        agent = Speaking({task.id: task})
        made = play(agent, task, env_of(task), pack="p", trial=0, seed=1)
        assert made.success
        assert validate(made, load_domain(task.domain), task).valid
        assert agent.talk is not None
        roles = [message["role"] for message in agent.talk.messages if "tool_calls" not in message]
        assert roles[:2] == ["system", "user"]
        assert ("assistant", "user") in list(zip(roles[2:], roles[3:], strict=False))


@pytest.mark.parametrize("kind", ["confirmation", "identity"])
def test_a_broken_rule_is_a_cause(kind: str) -> None:
    """All that was asked was done, and rightly, but nobody was asked before; a refusal without asking is a broken policy too, or never asked."""
    task = some(kind)
    env = env_of(task)
    solve(env)
    silent = [call for call, _ in env.calls if call.name != RESPOND.name]
    evidence = Examiner(env).examine(play(Fixed(silent), task, env, pack="p", trial=0, seed=1), task)
    assert evidence is not None
    assert (evidence.reason, evidence.broken) == ("broken_rule", (task.rules[0].name,))
    found = cause_of(evidence)
    assert found is not None
    assert (found.code, found.detail.partition(":")[0]) == ("broke_policy", task.rules[0].name)


@given(st.integers(0, 5000))
def test_quotas_add_up(count: int) -> None:
    """Every task is of some kind, and no kind is more than one away from its share."""
    found = quotas(count)
    assert sum(found.values()) == count
    assert all(abs(found[kind] - count * share) < 1 for kind, share in SHARES.items())


def test_every_manner_has_every_form() -> None:
    """As many voices as manners of asking, each with all forms, every value in its place."""
    for forms in VOICES.values():
        assert tuple(forms) == FORMS
        assert all("{v}" in form for case in ("give", "label", "wrong") for form in forms[case])
        assert all("{x}" in form for form in forms["no"])
