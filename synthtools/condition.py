"""How people ask for one of two things, depending on how something stands."""

from __future__ import annotations

import random
from dataclasses import dataclass

from synthtools.language import Manner, around, filled

VALUE_CONDITIONS = (
    "{Q}? If it is {test}, {a}; otherwise {b}.",
    "Depends on one thing: {q}? If {test}, {a}. If not, {b}.",
    "{Q}? If that's {test}, {a}, else {b}.",
    "Please check first: {q}? When it's {test}, {a}; in any other case {b}.",
    "Look this up: {q}? Should it be {test}, {a}. Otherwise {b}.",
    "One thing decides it: {q}? If it is {test}, {a}, and if it isn't, {b}.",
)
STATE_CONDITIONS = (
    "If {thing} is {state}, {a}; otherwise {b}.",
    "Is {thing} {state}? Then {a}. If not, {b}.",
    "Check whether {thing} is {state}: if so, {a}; if not, {b}.",
    "{ACT}, but only if {again} is {state}. Otherwise {b}.",
    "Should {thing} be {state}, {a}; else {b}.",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Two acts of which a condition on a thing decides, in marked words."""

    thing: str
    """Described in full."""
    again: str
    """Mentioned again."""
    act: str
    """What to do with the thing, described in full."""
    short: str
    """The same, the thing mentioned again."""
    other: str


def mentioned_again(phrase: str, thing: str, noun: str) -> str:
    """A phrase in which a thing, described before, is only pointed at."""
    before = phrase[: phrase.index(thing)]
    return phrase.replace(thing, f"the {noun}" if before.endswith("that ") else f"that {noun}")


def with_pronoun(phrase: str, thing: str) -> str:
    """A phrase with "it" for the thing, where that is its verb's plain object; otherwise nothing."""
    before, _, after = phrase.partition(thing)
    return f"{before}it{after}" if before.count(" ") == 1 and not after.startswith("'") else ""


def ask_by_value(manner: Manner, question: str, test: str, choice: Choice, rng: random.Random) -> str:
    """If what is asked passes a test, one thing, otherwise another."""
    template = rng.choice(VALUE_CONDITIONS).replace("{test}", test)
    return around(manner, filled(template, {"q": question, "a": choice.short, "b": choice.other}), rng)


def ask_by_state(manner: Manner, state: str, choice: Choice, rng: random.Random) -> str:
    """If a described thing is in a state, one thing; otherwise another."""
    template = rng.choice(STATE_CONDITIONS).replace("{state}", state).replace("{thing}", choice.thing).replace("{again}", choice.again)
    return around(manner, filled(template, {"a": choice.short, "act": choice.act, "b": choice.other}), rng)
