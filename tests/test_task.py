"""Solutions: arguments that refer to results are resolved, and a task is its JSON line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from synthtools.backend import Snapshot
from synthtools.codec import changes_from_json, changes_to_json, task_from_json, task_to_json
from synthtools.goal import Alternative, Answer, Change, Goal
from synthtools.task import Derived, Ref, SolutionStep, Task, refs, resolve
from synthtools.tool import ToolCall

RESULTS: list[Any] = [{"items": [{"id": "S-1", "arrives": "2026-06-12", "price": 62.5}, {"id": "S-2"}], "total": 2}, ["A1", "A2"], None]
FIRST, PRICE = Ref(0, ("items", 0, "id")), Ref(0, ("items", 0, "price"))
LATER = Derived("date(:day, '+' || :nights || ' days')", {"day": Ref(0, ("items", 0, "arrives")), "nights": 4})
CHANGES = (
    Change("berth", "delete", "A9", {"id": "A9", "depth": 2}, {}),
    Change("stay", "insert", "S-3", {}, {"id": "S-3", "note": None}),
    Change("stay", "update", "S-1", {"price": 6250}, {"price": 6500}),
)
TASK = Task(
    id="marina/chain/0001",
    domain="marina",
    field="Maritime",
    split="train",
    kind="chain",
    difficulty=3,
    start=Snapshot("digest", 2, ("UPDATE stay SET price = 0",)),
    withheld=("cancel_stay",),
    request="Bücher für « Ægir », 12 June — please.",
    goal=Goal((Alternative(CHANGES, answer=Answer("ids", ["S-1", "S-3"])), Alternative((), "not_allowed", "deposit"))),
    solution=(
        SolutionStep("search_stays", {"boat_id": "B-1", "nested": ["x", FIRST, [PRICE]]}),
        SolutionStep("extend_stay", {"leaves": LATER, "ids": [FIRST, Ref(1, (1,))], "empty": None}),
        SolutionStep("finish", {"outcome": "done", "answer": PRICE}),
    ),
    twin="marina/chain/0002",
    skeleton="_ please",
    said={'"B-1"': "Ægir"},
)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("plain", "plain"),
        (0, 0),
        (None, None),
        ({"a": 1}, {"a": 1}),
        (FIRST, "S-1"),
        (Ref(0, ()), RESULTS[0]),
        (Ref(0, ("items", -1, "id")), "S-2"),
        ([FIRST, "S-9", Ref(1, (1,))], ["S-1", "S-9", "A2"]),
        ((FIRST,), ["S-1"]),
        (LATER, "2026-06-16"),
        (Derived("ROUND(:a - :b, 2)", {"a": PRICE, "b": Derived("2.5", {})}), 60.0),
        (Derived("NULL", {}), None),
    ],
)
def test_an_argument_resolves_to_its_value(argument: Any, value: Any) -> None:
    """Plain values are themselves; references and derivations follow from the results before."""
    assert resolve(SolutionStep("t", {"x": argument}), RESULTS) == ToolCall("t", {"x": value})


@pytest.mark.parametrize(
    "argument",
    [
        Ref(0, ("items", 2, "id")),
        Ref(0, ("rows",)),
        Ref(0, ("total", "id")),
        Ref(2, ("id",)),
        Ref(3, ()),
        [Ref(1, ("id",))],
        Derived(":a", {"a": Ref(9, ())}),
    ],
)
def test_what_is_not_there_is_a_lookup_error(argument: Any) -> None:
    """Whatever is missing, a result or a part of it."""
    with pytest.raises(LookupError):
        resolve(SolutionStep("t", {"x": argument}), RESULTS)


def test_references_inside_an_argument_are_all_found() -> None:
    """In lists and derivations, at any depth."""
    assert list(refs(["x", FIRST, [Derived("1", {"a": [PRICE], "b": 2})], 5])) == [FIRST, PRICE]
    assert list(refs({"step": 1})) == []


def test_a_task_is_its_json_line() -> None:
    """Read back it is equal, and written again it is the same bytes; it is one line."""
    line = task_to_json(TASK)
    assert task_from_json(line) == TASK
    assert task_to_json(task_from_json(line.decode())) == line
    assert b"\n" not in line


@pytest.mark.parametrize(
    "start",
    [
        Snapshot("d", -3),
        Snapshot("d", 0, (), b"\x00\xff"),
        Snapshot("d", 0, (), b"", "2026-06-12T09:30"),
        Snapshot("d", 0, (), b"", "", (("stay", 7),)),
    ],
)
def test_a_start_in_the_middle_of_an_episode_survives_too(start: Snapshot) -> None:
    """The net change so far, the clock and the id counters are part of a start."""
    task = replace(TASK, start=start)
    assert task_from_json(task_to_json(task)) == task


def test_net_changes_survive_their_text() -> None:
    """Through JSON text, not only through plain data."""
    assert changes_from_json(orjson.loads(orjson.dumps(changes_to_json(CHANGES)))) == CHANGES


def test_a_goal_wants_something() -> None:
    """A task without a goal cannot be made."""
    with pytest.raises(ValueError, match="at least one alternative"):
        Goal(())


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"id": 1}', task_to_json(TASK)[:-10].decode()])
def test_what_is_no_task_is_refused(text: str) -> None:
    """Nothing half-read comes back."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        task_from_json(text)


ESCAPES = [
    "1); ATTACH '/tmp/nowhere.db' AS a; CREATE TABLE a.t(x); SELECT ('x'",
    "1); VACUUM INTO '/tmp/nowhere.db'; SELECT ('x'",
    "date('now')",
    "random()",
    "(SELECT name FROM sqlite_schema)",
    "(SELECT COUNT(*) FROM pragma_database_list)",
    "1), (2",
    "",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_a_derivation_is_one_expression_over_what_is_given(sql: str) -> None:
    """Anything else is refused where a task is read, and has no value where it is not read from anywhere."""
    with pytest.raises(LookupError):
        resolve(SolutionStep("x", {"a": Derived(sql, {})}), RESULTS)
    task = replace(TASK, solution=(SolutionStep("x", {"a": Derived(sql, {})}),))
    with pytest.raises(ValueError, match=r"\S"):
        task_from_json(task_to_json(task))
    assert not Path("/tmp/nowhere.db").exists()


ENDLESS = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c)"
VALUELESS = [
    (ENDLESS, {}),
    (":a + 1", {}),
    (":a", {"a": {"x": 1}}),
    (":a", {"a": 2**70}),
    (":a", {"a": "\ud800"}),
    ("x'ff'", {}),
    ("CAST(x'ff' AS TEXT)", {}),
    ("json_extract(:a, '$.b')", {"a": "no json"}),
]


@pytest.mark.parametrize(("sql", "uses"), VALUELESS)
def test_a_derivation_without_a_value_is_a_lookup_error(sql: str, uses: dict[str, Any]) -> None:
    """Also one that would never end."""
    with pytest.raises(LookupError):
        resolve(SolutionStep("x", {"a": Derived(sql, uses)}), RESULTS)


def test_the_clock_of_derivations_stands_still() -> None:
    """Even where the word is not seen."""
    assert resolve(SolutionStep("x", {"a": Derived("date(:a)", {"a": "now"})}), []).arguments == {"a": "2024-07-27"}
