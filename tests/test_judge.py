"""Judging: changes match up to the names of generated ids, and in nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from small import TEXT, tool_shed
from synthtools.goal import Alternative, Answer, Change, Changes, Ending, Goal
from synthtools.judge import MatchTooHard, judge, match, potential

ENDS = "      ends: {date: {after: begins, days: [1, 3]}}\n"
NOTES = "      note: {text: [in good order, a bit worn], optional: 0.5}\n      logged: {date: [-9d, +0d], incidental: true}\n"
SHED = tool_shed(TEXT.replace(ENDS, ENDS + NOTES))


def insert(table: str, key: str, **cells: Any) -> Change:
    """A new row."""
    return Change(table, "insert", key, {}, {"id": key, **cells})


def update(table: str, key: str, **cells: Any) -> Change:
    """An old row with other cells."""
    return Change(table, "update", key, dict.fromkeys(cells), cells)


@st.composite
def change_sets(draw: st.DrawFn) -> Changes:
    """New neighbours, tools and loans that refer to each other or to old rows, and changes to old rows, some of which refer to new ones."""
    neighbours = [f"N-9{i}" for i in range(draw(st.integers(0, 3)))]
    tools = [f"T-9{i}" for i in range(draw(st.integers(0, 2)))]
    made = [insert("neighbour", key, name=draw(st.sampled_from(["Ann", "Bo"])), fees=0) for key in neighbours]
    made += [insert("tool", key, name=draw(st.sampled_from(["saw", "rake"]))) for key in tools]
    for number in range(draw(st.integers(0, 4))):
        tool, neighbour = draw(st.sampled_from(["T-001", "T-002", *tools])), draw(st.sampled_from(["N-001", *neighbours]))
        made.append(insert("loan", f"L-9{number}", tool=tool, neighbour=neighbour, begins=draw(st.sampled_from(["2026-03-02", "2026-03-03"]))))
    made += [update("neighbour", f"N-00{i}", fees=draw(st.integers(0, 3))) for i in range(draw(st.integers(0, 2)))]
    made += [update("loan", f"L-00{i}", neighbour=draw(st.sampled_from(["N-002", *neighbours]))) for i in range(draw(st.integers(0, 2)))]
    made += [Change("tool", "delete", f"T-00{i}", {"id": f"T-00{i}", "name": "saw"}, {}) for i in range(5, 5 + draw(st.integers(0, 1)))]
    return tuple(made)


def renamed(changes: Changes, names: dict[str, str]) -> Changes:
    """The changes with generated ids renamed wherever they stand."""

    def named(value: Any) -> Any:
        return names.get(value, value)

    return tuple(Change(c.table, c.op, named(c.key), c.before, {k: named(v) for k, v in c.after.items()}) for c in changes)


def generated(changes: Changes) -> list[str]:
    """The ids of the new rows."""
    return [c.key for c in changes if c.op == "insert"]


def other_names(changes: Changes, draw: st.DataObject) -> dict[str, str]:
    """New names for the generated ids, each of its own table's form, in any order; some may be another's old one."""
    names: dict[str, str] = {}
    for prefix in "NTL":
        own = [key for key in generated(changes) if key[0] == prefix]
        pool = [*own, *(f"{prefix}-8{i}" for i in range(3))]
        names.update(zip(own, draw.draw(st.permutations(pool)), strict=False))
    return names


def brute_force(expected: Changes, actual: Changes) -> bool:
    """Whether any renaming at all makes one the other: the definition, tried out."""
    ours, theirs = generated(expected), generated(actual)
    wanted = {repr(c) for c in actual}
    tries = permutations(theirs) if len(ours) == len(theirs) else ()
    return any({repr(c) for c in renamed(expected, dict(zip(ours, order, strict=True)))} == wanted for order in tries)


@given(change_sets(), st.data())
def test_any_renaming_in_any_order_matches(changes: Changes, data: st.DataObject) -> None:
    """Generated ids are free and order is nothing; the renaming found makes one the other."""
    names = other_names(changes, data)
    actual = data.draw(st.permutations(renamed(changes, names)))
    found = match(changes, tuple(actual), SHED)
    assert found is not None
    assert {repr(c) for c in renamed(changes, found)} == {repr(c) for c in actual}


@given(change_sets(), change_sets())
def test_it_agrees_with_trying_every_renaming(one: Changes, other: Changes) -> None:
    """Two unrelated sets of changes match exactly when some renaming makes them equal."""
    assume(len(generated(other)) < 6)
    assert (match(one, other, SHED) is not None) == brute_force(one, other)


@given(change_sets(), st.data())
def test_near_sets_agree_with_trying_every_renaming(changes: Changes, data: st.DataObject) -> None:
    """So do sets of which one loan was given to somebody else."""
    loans = [i for i, c in enumerate(changes) if c.op == "insert" and c.table == "loan"]
    assume(loans and len(generated(changes)) < 7)
    index = data.draw(st.sampled_from(loans))
    who = data.draw(st.sampled_from(["N-001", "N-004", *[k for k in generated(changes) if k[0] == "N"]]))
    moved = replace(changes[index], after={**changes[index].after, "neighbour": who})
    actual = renamed((*changes[:index], moved, *changes[index + 1 :]), other_names(changes, data))
    assert (match(changes, actual, SHED) is not None) == brute_force(changes, actual)


@given(change_sets(), st.data())
def test_a_change_too_few_or_too_many_or_other_does_not_match(changes: Changes, data: st.DataObject) -> None:
    """All of it and nothing else."""
    assume(changes)
    index = data.draw(st.integers(0, len(changes) - 1))
    rest, one = (*changes[:index], *changes[index + 1 :]), changes[index]
    assert match(changes, rest, SHED) is None
    assert match(rest, changes, SHED) is None
    column = next((k for k in one.after if k != "id"), "")
    assume(column)
    assert match(changes, (*rest, replace(one, after={**one.after, column: "nothing like it"})), SHED) is None


def test_rows_alike_cost_little() -> None:
    """A hundred equal rows and a wrong one are told apart at once, though they could be paired in more ways than there are atoms."""
    loans = tuple(insert("loan", f"L-9{i:02d}", tool="T-001", neighbour="N-9") for i in range(100))
    who = (insert("neighbour", "N-9", name="Ann"),)
    assert match((*who, *loans), (*who, *loans[::-1]), SHED) is not None
    assert match((*who, *loans, update("loan", "L-001", neighbour="N-9")), (*who, *loans, update("loan", "L-002", neighbour="N-9")), SHED) is None
    assert match((*who, *loans, update("tool", "T-002", name="saw")), (*who, *loans, update("tool", "T-002", name="rake")), SHED) is None


def ring(names: range, step: int) -> Changes:
    """Neighbours and tools in rings: each tool lent to a neighbour and to one some steps on."""
    made = [insert("neighbour", f"N-{i}", name="Ann") for i in names] + [insert("tool", f"T-{i}", name="saw") for i in names]
    size = len(names)
    for place, i in enumerate(names):
        for number, far in enumerate((0, step)):
            made.append(insert("loan", f"L-{i}{number}", tool=f"T-{i}", neighbour=f"N-{names[(place + far) % size]}"))
    return tuple(made)


def test_what_is_too_alike_is_given_up() -> None:
    """A search that would not end in time says so; the gates turn such a task away."""
    with pytest.raises(MatchTooHard):
        match(ring(range(100, 124), 1), ring(range(100, 124), 2), SHED)


def test_codes_are_not_generated() -> None:
    """The id of a new row counts where people give it."""
    coded = tool_shed(TEXT.replace("id: {prefix: T-, digits: 3}", "id: {codes: [T-001..T-010]}"))
    assert match((insert("tool", "T-011", name="saw"),), (insert("tool", "T-012", name="saw"),), SHED) is not None
    assert match((insert("tool", "T-011", name="saw"),), (insert("tool", "T-012", name="saw"),), coded) is None


def test_tables_may_share_the_form_of_their_ids() -> None:
    """An old row that is called as a new one of another table is itself."""
    made = (insert("neighbour", "7", name="Ann"), insert("loan", "8", tool="7", neighbour="7"))
    assert match(made, (insert("neighbour", "9", name="Ann"), insert("loan", "8", tool="7", neighbour="9")), SHED) == {"7": "9", "8": "8"}
    assert match(made, (insert("neighbour", "9", name="Ann"), insert("loan", "8", tool="9", neighbour="9")), SHED) is None


@pytest.mark.parametrize("note", ["In good order", "in good order.", ' "In good order" ', "in good-order!"])
def test_free_text_matches_by_its_words(note: str) -> None:
    """Case and punctuation of a text that people write do not count."""
    assert match((insert("loan", "L-9", note="in good order"),), (insert("loan", "L-9", note=note),), SHED) is not None


@pytest.mark.parametrize("note", ["in order", "in good order please", "", None, "ingoodorder"])
def test_other_words_do_not_match(note: str | None) -> None:
    """Its words do."""
    assert match((insert("loan", "L-9", note="in good order"),), (insert("loan", "L-9", note=note),), SHED) is None


@pytest.mark.parametrize(("said", "same"), [("dose -5 mg", 0), ("dose \u22125 mg", 0), ("dose 5, mg", 1), ("Dose 5-mg", 1), ("dose 5 mg - now", 0)])
def test_the_sign_of_a_number_is_a_word_of_its_text(said: str, same: int) -> None:
    """Minus five is not five; a hyphen is no sign."""
    assert (match((insert("loan", "L-9", note="dose 5 mg"),), (insert("loan", "L-9", note=said),), SHED) is not None) == bool(same)


def test_letters_are_the_same_however_they_are_composed() -> None:
    """An accent may be a character of its own."""
    assert match((insert("loan", "L-9", note="Zo\u00eb"),), (insert("loan", "L-9", note="Zoe\u0308"),), SHED) is not None


LENT = (insert("loan", "L-900", tool="T-001", neighbour="N-001"), update("tool", "T-001", state="out"))
ANSWERED = Alternative(LENT, answer=Answer("id", "L-900"))


@pytest.mark.parametrize(
    ("changes", "ending", "reason"),
    [
        (LENT, Ending("L-900"), ""),
        (renamed(LENT, {"L-900": "L-955"}), Ending("l-955"), ""),
        ((*LENT, update("loan", "L-001", logged="2026-03-02")), Ending("L-900", about="nothing"), ""),
        (LENT, None, "no_ending"),
        (LENT, Ending("L-900", "impossible"), "wrong_outcome"),
        (renamed(LENT, {"L-900": "L-955"}), Ending("L-900"), "wrong_answer"),
        (LENT, Ending(), "wrong_answer"),
        ((), Ending("L-900"), "missing_change"),
        (LENT[:1], Ending("L-900"), "missing_change"),
        ((*LENT, update("neighbour", "N-001", fees=1)), Ending("L-900"), "extra_change"),
        ((LENT[0], update("tool", "T-002", state="out")), Ending("L-900"), "wrong_change"),
        ((LENT[0], update("tool", "T-001", state="in")), Ending("L-900"), "wrong_change"),
    ],
)
def test_the_nearest_fault_is_named(changes: Changes, ending: Ending | None, reason: str) -> None:
    """Success when nothing is wrong; else what is."""
    judgement = judge(Goal((ANSWERED,)), changes, ending, SHED)
    assert (judgement.success, judgement.reason) == (not reason, reason)


@pytest.mark.parametrize("about", ["no_debtors", "No debtors", "no-debtors.", " NO_DEBTORS "])
def test_what_stands_in_the_way_is_matched_by_its_words(about: str) -> None:
    """A policy is named with or without underscores."""
    goal = Goal((Alternative((), "not_allowed", "no_debtors"),))
    assert judge(goal, (), Ending(None, "not_allowed", about), SHED).success
    assert judge(goal, (), Ending(None, "not_allowed", f"{about} and more"), SHED).reason == "wrong_about"


def test_any_one_alternative_is_enough_but_not_parts_of_two() -> None:
    """Ties are all accepted, each with its own answer."""
    first = Alternative((update("tool", "T-001", state="out"),), answer=Answer("money", 100))
    other = Alternative((update("tool", "T-002", state="out"),), answer=Answer("money", 250))
    goal = Goal((first, other))
    assert judge(goal, first.changes, Ending("1.00"), SHED).success
    assert judge(goal, other.changes, Ending("2.50"), SHED).success
    assert judge(goal, first.changes, Ending("2.50"), SHED).reason == "wrong_answer"
    assert not judge(goal, (*first.changes, *other.changes), Ending("1.00"), SHED).success


@given(change_sets(), st.data())
def test_nearness_is_one_exactly_at_the_goal(changes: Changes, data: st.DataObject) -> None:
    """Whatever the generated ids are called; a part of the changes is nearer than nothing, and less than all."""
    assume(changes)
    goal = Goal((Alternative(changes),))
    assert potential(goal, renamed(changes, other_names(changes, data)), SHED) == 1.0
    assert potential(goal, (), SHED) == 0.0
    assert potential(goal, changes[:-1], SHED) < 1.0
