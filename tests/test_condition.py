"""Requests that depend on how something stands are tidy, and say what the thing is once."""

from __future__ import annotations

import random
import re

import pytest

from synthtools.condition import STATE_CONDITIONS, VALUE_CONDITIONS, Choice, ask_by_state, ask_by_value, mentioned_again, with_pronoun
from synthtools.language import CLOSE, MANNERS, OPEN, Manner, finished, mark

DRILL = f"the drill of {mark('Ada')}"
CHOICE = Choice(DRILL, "that drill", f"lend {DRILL} out", "lend that drill out", f"take {mark('T-012')} back")


@pytest.mark.parametrize("manner", MANNERS)
def test_a_request_is_tidy_and_describes_the_thing_once(manner: Manner) -> None:
    """In every form: no mark or slot left, no two points, both acts and the state in it."""
    for seed in range(60):
        rng = random.Random(seed)
        for marked in (ask_by_state(manner, mark("out"), CHOICE, rng), ask_by_value(manner, f"what is {DRILL} worth", "more than 5", CHOICE, rng)):
            text = finished(marked)
            assert not re.search(rf"[{OPEN}{CLOSE}{{}}]|  |\s[.,;?!]|[.?!,][.?!,]", text), text
            assert text.count("drill of Ada") == 1
            assert text.count("that drill") == 1
            assert "T-012" in text


def test_every_form_has_its_slots() -> None:
    """The condition, what follows, and what follows otherwise."""
    assert [f for f in STATE_CONDITIONS if not {"{state}", "{b}"} <= set(re.findall(r"\{\w+\}", f))] == []
    assert [f for f in VALUE_CONDITIONS if not {"{test}", "{a}", "{b}"} <= set(re.findall(r"\{\w+\}", f))] == []


@pytest.mark.parametrize(
    ("phrase", "again", "pronoun"),
    [
        ("cancel X", "cancel that loan", "cancel it"),
        ("put X down as lost", "put that loan down as lost", "put it down as lost"),
        ("send off X", "send off that loan", ""),
        ("clear X's desk", "clear that loan's desk", ""),
        ("note that X is over", "note that the loan is over", ""),
    ],
)
def test_the_second_mention_is_grammatical(phrase: str, again: str, pronoun: str) -> None:
    """"It" only as the plain object of one verb; no "that that"."""
    assert mentioned_again(phrase, "X", "loan") == again
    assert with_pronoun(phrase, "X") == pronoun
