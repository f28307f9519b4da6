"""The person who asked, as data: what they know and how they give it, what they decide, and how long they stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from synthtools.arguments import ArgumentParser
from synthtools.hearing import Topic, closes, confirms, goes_ahead, questions, topics_in
from synthtools.instruction import Doing, bidden
from synthtools.seed import generator
from synthtools.tool import NO_PROGRAM, Origin, Tool
from synthtools.voices import VOICES

RESPOND = Tool(
    name="respond",
    key="respond",
    description="Say something to the person who asked, and hear the reply.",
    parameters={
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "What to say."}},
        "required": ["text"],
        "additionalProperties": False,
    },
    errors={},
    program=NO_PROGRAM,
    origin=Origin("hand"),
)
"""The tool that an agent has where there is a user."""

PATIENCE = 5
"""Turns that lead nowhere, after which a user leaves, unless it says otherwise."""
Given = Literal["at_once", "when_pressed", "corrected"]

_PARSER = ArgumentParser(RESPOND)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that only the user knows, and tells who asks for it."""

    slot: str
    """The argument or column that it is for."""
    label: str
    """What the user calls it."""
    topic: Topic
    """What a question about it is known by."""
    said: str
    """The value in words."""
    given: Given = "at_once"
    """At once; only on the second request; or wrong at first, and put right in the same breath."""
    wrong: str = ""
    """What is said at first where it is then corrected."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user says when asked whether to go ahead."""

    go: bool
    said: str
    words: tuple[str, ...] = ()
    """Besides the goal's own, what names the thing to be decided."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the user does themselves, with a tool of their own, once, when asked to."""

    tool: str
    """The tool's key."""
    arguments: Mapping[str, Any]
    """As data: nothing of it hangs on what is said."""
    doing: Doing
    """What a request to do it is known by."""
    label: str
    """What the user calls it, as a clause that tells somebody to do it."""
    able: bool = True
    """Otherwise they say, when asked, that they cannot."""


@dataclass(frozen=True, slots=True)
class User:
    """One person in one task."""

    manner: str
    """A voice of `VOICES`."""
    seed: int
    goal: str
    """What they came for, in their own words."""
    facts: tuple[Fact, ...] = ()
    decision: Decision | None = None
    patience: int = PATIENCE
    """Turns that lead nowhere, after which they leave."""
    deeds: tuple[Deed, ...] = ()
    """What they can do themselves."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a user says, and what of it matters."""

    text: str
    gave: tuple[str, ...] = ()
    """Slots whose values it holds."""
    asked: tuple[str, ...] = ()
    """Slots that were asked for, given or not."""
    decided: bool = False
    """Whether it says if the agent may go ahead."""
    gone: bool = False
    """The user has left; the next thing said finds nobody there."""
    bidden: tuple[int, ...] = ()
    """Numbers of the deeds that were asked for, done or not."""
    deeds: tuple[int, ...] = ()
    """Numbers of those that the user now does: how that goes is for `synthtools.deed`, and the text does not say it."""


def said_in(arguments: Mapping[str, Any] | str) -> str:
    """The text of a call of `respond`. Raises ArgumentError where there is none."""
    return str(_PARSER.parse(arguments)["text"])


def reply_content(text: str) -> str:
    """The result of `respond`, as JSON text."""
    return orjson.dumps({"reply": text}).decode()


def reply(user: User, heard: Sequence[str]) -> Reply:
    """What the user says to the last of these texts, after the others; pure. Raises ValueError where nothing was said."""
    if not heard:
        raise ValueError("the user has heard nothing to reply to")
    return replies(user, heard)[-1]


def replies(user: User, heard: Sequence[str]) -> tuple[Reply, ...]:
    """What the user says to each of these texts, in their order."""
    made: list[Reply] = []
    asked: set[str] = set()
    told: set[str] = set()
    bids: set[int] = set()
    idle = 0
    for number in range(len(heard)):
        if made and made[-1].gone:
            made.append(Reply("", gone=True))
            continue
        answer = _answer(user, heard[: number + 1], asked, bids)
        gained = {*answer.gave, *(["?"] if answer.decided else [])} - told
        useful = bool(gained or set(answer.asked) - asked or set(answer.bidden) - bids)
        asked |= set(answer.asked)
        bids |= set(answer.bidden)
        told |= gained
        idle += not useful
        made.append(answer if idle < user.patience else replace(answer, text=_say(user, "bye", number), gone=True))
    return tuple(made)


def _answer(user: User, heard: Sequence[str], before: set[str], bids: set[int]) -> Reply:
    """The reply to the last of what is heard, of a user who does not leave; `before`, `bids`: what was asked for already."""
    number, said = len(heard) - 1, heard[-1]
    about = questions(said)
    wanted = [user.facts[index] for index in topics_in(about, [fact.topic for fact in user.facts])]
    gave = [fact for fact in wanted if fact.given != "when_pressed" or fact.slot in before]
    wished = bidden(said, [deed.doing for deed in user.deeds]) if user.deeds else []
    decides = not wanted and not wished and _is_to_decide(user, heard)
    parts = [_give(user, fact, number, alone=len(gave) == 1) for fact in gave]
    if len(wanted) > len(gave):
        parts.append(_say(user, "later", number))
    parts += [_take_on(user, index, number, again=index in bids) for index in wished]
    if decides:
        parts.append(_say(user, "as_asked", number) if user.decision is None else user.decision.said)
    if not parts:
        parts.append(_say(user, _aside(user, heard, about), number))
    text = " ".join(part if part[-1] in ".!?" or part is parts[-1] else f"{part}," for part in parts)
    return Reply(
        text,
        tuple(fact.slot for fact in gave),
        tuple(fact.slot for fact in wanted),
        decides and user.decision is not None,
        bidden=tuple(wished),
        deeds=tuple(index for index in wished if user.deeds[index].able and index not in bids),
    )


def _is_to_decide(user: User, heard: Sequence[str]) -> bool:
    """Whether the last of what is heard asks to go ahead, and with what the user came for."""
    if user.decision is None:
        return confirms(heard[-1])
    return goes_ahead(heard, " ".join((user.goal, *user.decision.words)))


def _take_on(user: User, index: int, number: int, *, again: bool) -> str:
    """What is said to a request to do something: it is begun, or was before, or is nothing that they can do."""
    deed = user.deeds[index]
    return _say(user, ("again" if again else "doing") if deed.able else "cannot", number, n=deed.label)


def how_it_went(user: User, number: int, case: Literal["did", "shows", "refused"], shown: str) -> str:
    """What the user says of a deed that was done in the turn of a number; `shown`: what they were shown."""
    return _say(user, case, number, v=shown)


def _aside(user: User, heard: Sequence[str], about: str) -> str:
    """Which form answers what asks for nothing that the user has to say."""
    said = heard[-1]
    if user.decision is not None and goes_ahead(heard, ""):
        return "what"
    if closes(said):
        return "close"
    return "help" if about else "nod" if user.decision is None else "listening"


def _give(user: User, fact: Fact, number: int, *, alone: bool) -> str:
    """A fact in the user's words; a slip comes with its correction."""
    value = fact.said
    if fact.given == "corrected":
        value = _say(user, "wrong", number, v=fact.said, w=fact.wrong)
        return value if alone else f"{_cap(fact.label)}: {value}"
    return _say(user, "give" if alone else "label", number, v=value, n=fact.label)


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _say(user: User, case: str, number: int, **values: str) -> str:
    """A form of the manner, drawn from the user's seed and the turn; values stay as they are."""
    form = generator("user", user.seed, case, number, *values.values()).choice(VOICES[user.manner][case])
    text = re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], form)
    return text if user.manner == "hurried" or form[:3] in ("{v}", "{w}") else _cap(text)


def user_to_json(user: User) -> dict[str, Any]:
    """The user as plain data."""
    facts = [{"slot": f.slot, "label": f.label, "topic": f.topic.to_json(), "said": f.said, "given": f.given, "wrong": f.wrong} for f in user.facts]
    decision = None if user.decision is None else _decision(user.decision)
    record = {"manner": user.manner, "seed": user.seed, "goal": user.goal, "patience": user.patience, "facts": facts, "decision": decision}
    if user.deeds:
        record["deeds"] = [
            {"tool": d.tool, "arguments": dict(d.arguments), "doing": d.doing.to_json(), "label": d.label, "able": d.able} for d in user.deeds
        ]
    return record


def _decision(decision: Decision) -> dict[str, Any]:
    words = {"words": list(decision.words)} if decision.words else {}
    return {"go": decision.go, "said": decision.said, **words}


def user_from_json(record: Mapping[str, Any]) -> User:
    """The user of plain data. Raises ValueError or KeyError for anything else."""
    if record["manner"] not in VOICES:
        raise ValueError(f"there is no manner {record['manner']!r}: {', '.join(VOICES)}")
    facts = tuple(Fact(f["slot"], f["label"], Topic.from_json(f["topic"]), f["said"], f["given"], f["wrong"]) for f in record["facts"])
    decided = record["decision"]
    decision = None if decided is None else Decision(decided["go"], decided["said"], tuple(decided.get("words", ())))
    deeds = tuple(Deed(d["tool"], d["arguments"], Doing.from_json(d["doing"]), d["label"], d["able"]) for d in record.get("deeds", ()))
    return User(record["manner"], record["seed"], record["goal"], facts, decision, record["patience"], deeds)
