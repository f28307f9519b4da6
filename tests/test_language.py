"""Words: requests are tidy in every manner, what is no verb is not wrapped as a command, and we understand what we say."""

from __future__ import annotations

import datetime
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shed import shed
from synthtools import language
from synthtools.answer import answers
from synthtools.generate import Factory
from synthtools.goal import Answer
from synthtools.language import CLOSE, FALLBACKS, MANNERS, OPEN, finished, is_clause, is_imperative, mark, say, say_date, skeleton, upper_first
from synthtools.seed import generator
from synthtools.task import KINDS

SHED = shed()
"""Today is 2 March 2026."""
ASKS = (language.ask_command, language.ask_question)
CLAUSES = [f"lend {mark('the drill')} to {mark('Ada')}", f"take {mark('T-012')} back"]
SENTENCE = f"{mark('The drill')} is back."


def requests(manner: language.Manner, rng: random.Random) -> list[str]:
    """One request of every form, marked."""
    return [
        language.ask_command(manner, CLAUSES[0], rng),
        language.ask_command(manner, SENTENCE, rng),
        language.ask_command(manner, CLAUSES[1], rng, language.fallback("loan", rng)),
        language.ask_question(manner, f"when does {mark('the drill')} come back", rng),
        language.ask_question(manner, f"where is {mark('the drill')}? I need it.", rng),
        language.ask_several(manner, CLAUSES, rng),
        language.ask_several(manner, [*CLAUSES, f"lend {mark('the saw')} out"], rng),
        language.ask_several(manner, [CLAUSES[0], SENTENCE], rng),
        language.ask_question(manner, f"list the loans of {mark('Ada')}", rng),
    ]


@pytest.mark.parametrize("manner", MANNERS)
def test_a_request_has_no_marks_left_and_is_tidy(manner: language.Manner) -> None:
    """Nor an unfilled slot, two blanks, a blank before a point, or two points; every value is still in it."""
    for seed in range(40):
        for marked in requests(manner, random.Random(seed)):
            text = finished(marked)
            assert not re.search(rf"[{OPEN}{CLOSE}{{}}]|  |\s[.,;?!]|[.?!,][.?!,]|^\s|\s$", text), text
            assert text == text.strip()
            for value in re.findall(f"{OPEN}([^{CLOSE}]*){CLOSE}", marked):
                assert value.casefold() in text.casefold()


def test_generated_requests_have_no_marks_left() -> None:
    """Of every kind that the shed can fill; their skeletons hold no value that is looked up."""
    factory = Factory(SHED, 2)
    tasks = [task for kind in KINDS for number in range(25) for task in factory.attempt(kind, number)]
    assert len(tasks) > 40
    assert [t.request for t in tasks if re.search(rf"[{OPEN}{CLOSE}{{}}]", t.request + t.skeleton)] == []
    assert [t.skeleton for t in tasks if re.search(r"[TNL]-\d{3}", t.skeleton)] == []


def test_skeletons_mask_values_only() -> None:
    """Requests that differ in values alone have the same one, also where a mark stands within a mark."""
    assert skeleton(f"Lend {mark('the drill')} to {mark('Ada')}.") == skeleton(f"Lend  {mark('a saw')} to {mark('Bo')}.") == "Lend _ to _."
    assert skeleton(f"the {OPEN}loan of {mark('Ada')}{CLOSE} ends") == "the _ ends"


IMPERATIVE = ["cancel {stay_id}", "put {it} down as arrived, they just tied up", "lend {tool_id} out for {days} days", "move {it} to {berth_id}"]
OTHER = [
    *("{it} is off, please cancel it", "Cancel {it}", "cancel {it}.", "can you cancel {it}?", '"{name}" is wrong', "we have finished {it}"),
    *("the owner is here for {it}", "please start {it}", "nobody came for {it}; put it down", "when does {it} end", "I need {it}"),
    *("don't wait for {it}", "do not start {it}", "never mind {it}, start", "let's start {it}", "new loan: {it}", "is {it} out"),
    f"{OPEN}it{CLOSE} is off",
]


@pytest.mark.parametrize(("template", "verdict"), [*((t, True) for t in IMPERATIVE), *((t, False) for t in OTHER)])
def test_only_clauses_that_begin_with_a_verb_are_commands(template: str, verdict: bool) -> None:
    """Others would read badly after `Could you`."""
    assert is_imperative(template) is verdict
    assert is_clause(template) is (template[-1] not in ".?!")


def test_the_capital_is_the_first_letters() -> None:
    """Behind a mark or a quotation mark; a number stays as it is."""
    assert [upper_first(t) for t in (f"{mark('ada')} is", '"x"', "1 of", "")] == [f"{mark('Ada')} is", '"X"', "1 of", ""]
    assert [language.lower_first(t) for t in ("Lend", "I am", "I'm", f"{mark('Ada')} is", "")] == ["lend", "I am", "I'm", f"{mark('Ada')} is", ""]


@pytest.mark.parametrize("manner", MANNERS)
def test_what_is_no_imperative_clause_is_not_wrapped(manner: language.Manner) -> None:
    """Nobody is asked "to don't", and no question word leads up to a command."""
    clauses = (f"Don't wait for {mark('Ada')}.", f"list the loans of {mark('Ada')}")
    asked = [ask(manner, clause, random.Random(seed)) for seed in range(200) for ask, clause in zip(ASKS, clauses, strict=True)]
    assert [a for a in asked if re.search(r"\b(to|you|please|kindly) don't|: list", a, re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [("a \x01extension\x02", "an extension"), ("A \x01urgent\x02 job", "An urgent job"), ("a \x01unit\x02", "a unit"), ("a \x01saw\x02", "a saw")],
)
def test_the_article_goes_with_the_value(before: str, after: str) -> None:
    """"An" before a vowel, as it is spoken."""
    assert finished(before) == after


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2060, 12, 31)), st.integers(0, 99))
def test_a_day_as_we_say_it_is_understood(day: datetime.date, seed: int) -> None:
    """Whatever form is drawn, an answer in these words is that day and no other."""
    text = say_date(day.isoformat(), SHED.today, random.Random(seed))
    assert answers(Answer("date", day.isoformat()), text, SHED, {})
    assert not answers(Answer("date", (day + datetime.timedelta(days=1)).isoformat()), text, SHED, {})


@pytest.mark.parametrize("day", ["2026-03-02", "2026-05-21", "2026-12-31", "2027-01-03", "2025-02-28"])
def test_a_day_is_said_in_many_ways(day: str) -> None:
    """The year is left out only where it is this one."""
    forms = {say_date(day, SHED.today, random.Random(seed)) for seed in range(200)}
    assert len(forms) >= 3
    assert all(day[:4] in form for form in forms) is (day[:4] != "2026")


@given(st.integers(0, 10_000_000), st.integers(0, 99))
def test_an_amount_as_we_say_it_is_understood(cents: int, seed: int) -> None:
    """With or without sign and decimals."""
    text = say(SHED, cents / 100, "money", random.Random(seed))
    assert answers(Answer("money", cents), text, SHED, {})
    assert not answers(Answer("money", cents + 1), text, SHED, {})


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("2026-03-04T09:30", "datetime", {"2026-03-04 at 09:30", "4 March, 09:30", "the 4th of March 09:30"}),
        ("on_stand", "state", {"on stand"}),
        (True, "bool", {"yes"}),
        (0, "bool", {"no"}),
        ("a note", "text", {'"a note"'}),
        (["A1"], "plain", {"A1"}),
        (["A1", "A2", "A3"], "plain", {"A1, A2 and A3"}),
        (-2.5, "money", {"-2.50", "-2.50 EUR"}),
        (25.0, "money", {"25.00", "25.00 EUR", "€25.00", "25", "€25"}),
        (7, "int", {"7"}),
    ],
)
def test_values_in_words(value: Any, kind: str, words: set[str]) -> None:
    """Each of these forms comes up."""
    said = {say(SHED, value, kind, random.Random(seed)) for seed in range(300)}
    assert words <= said
    assert kind == "datetime" or said == words


def test_fallbacks_ask_for_the_number_of_a_thing() -> None:
    """Each names the thing once."""
    rng = generator("fallbacks")
    assert {language.fallback("loan", rng) for _ in range(300)} == {f.replace("{noun}", "loan") for f in FALLBACKS}
    assert [f for f in FALLBACKS if f.count("{noun}") != 1] == []
