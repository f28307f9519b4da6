"""State as data: frozen and thawed the same, whatever it is made of; and the net change between two states."""

from __future__ import annotations

import datetime
import decimal
import enum
import random
import re
import sqlite3
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from synthtools.goal import Change
from synthtools.toolkit.row import difference, rows
from synthtools.toolkit.state import Unfreezable, View, flatten_aliases, freeze, plain_json
from synthtools.toolkit.thaw import thaw

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
LEAF = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.binary(max_size=4), st.dates(), st.timedeltas(), st.uuids()),
    st.datetimes().map(lambda moment: moment.replace(fold=0)),
    st.decimals(allow_nan=False),
    st.sets(st.integers(0, 5)),
    st.tuples(st.integers(), st.text("ab$.\\", max_size=2)),
)
KEY = st.one_of(st.text("ab$.i_d\\", max_size=3), st.sampled_from(["id", "order_id", "$"]))
DATA = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEY, inner, max_size=4),
        st.dictionaries(st.integers(0, 4), inner, max_size=3),
        st.dictionaries(KEY, st.dictionaries(KEY, inner, max_size=3), max_size=4),
    ),
    max_leaves=25,
)
STATE = st.dictionaries(st.text("abc", min_size=1, max_size=2), DATA, max_size=4)


class Colour(enum.Enum):
    """An ordinary enumeration."""

    RED = "red"


@dataclass(frozen=True, slots=True)
class Point:
    """A dataclass that cannot be changed."""

    x: int
    seen: tuple[int, ...] = ()


class Order(BaseModel):
    """A model with others in it."""

    number: str
    points: list[Point] = []
    note: str | None = None


@dataclass
class Shelf:
    """A dataclass with orders."""

    orders: dict[str, Order] = field(default_factory=dict)


TYPES = {"m:Colour": Colour, "m:Point": Point, "m:Order": Order, "m:Shelf": Shelf}


@given(STATE)
@settings(max_examples=300)
def test_plain_data_is_thawed_as_it_was(state: dict[str, Any]) -> None:
    """Types, order of keys and values; and the same state is the same bytes."""
    frozen = freeze(state, {})
    again = thaw(frozen, {})
    assert repr(again) == repr(state)
    assert freeze(again, {}) == frozen


@given(STATE, STATE)
@settings(max_examples=300)
def test_a_live_state_is_compared_as_its_plain_form(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Looking only at what differs finds what looking at everything finds; no state differs from itself."""
    old, new = flatten_aliases(before, {}), flatten_aliases(after, {})
    found = difference(old, new)
    assert difference(old, after, View({})) == found
    assert difference(old, before, View({})) == ()
    assert list(found) == sorted(found, key=lambda change: (change.table, change.op, change.key))
    assert all(cell is None or type(cell) in (str, int, float) for change in found for cell in (*change.before.values(), *change.after.values()))


@given(STATE)
@settings(max_examples=200)
def test_from_nothing_a_state_is_inserted_row_by_row(state: dict[str, Any]) -> None:
    """`difference` and `rows` agree on what a state's rows are."""
    plain = flatten_aliases(state, {})
    inserted = {(c.table, c.key): dict(c.after) for c in difference({}, plain) if c.op == "insert"}
    found = {(table, key): row for table, held in rows(plain).items() for key, row in held.items() if key not in ("state", "self") or table != key}
    assert inserted == found


ODD: dict[str, Any] = {
    "enum": Colour.RED,
    "frozen dataclass": Point(1, (2, 3)),
    "model": Order(number="O-1", points=[Point(1)]),
    "dataclass": Shelf({"O-1": Order(number="O-1", note="x")}),
    "ordered": OrderedDict(b=1, a=2),
    "counter": Counter("abca"),
    "default": defaultdict(list, {"a": [1]}),
    "deque": deque([1, 2], maxlen=2),
    "frozenset": frozenset({"b", "a"}),
    "keys of any kind": {(1, "a"): 2, datetime.date(2026, 1, 2): 3, 4: 5},
    "decimal": decimal.Decimal("1.50"),
    "time": datetime.time(12, 30),
    "uuid": uuid.UUID(int=5),
    "big": 2**80,
    "infinite": float("-inf"),
    "bytes": bytearray(b"\x00\xff"),
}


@pytest.mark.parametrize("name", ODD)
def test_other_types_are_thawed_as_they_were(name: str) -> None:
    """Equal, of the same type, and the same bytes again."""
    frozen = freeze({"held": ODD[name]}, TYPES)
    again = thaw(frozen, TYPES)["held"]
    assert (type(again), again) == (type(ODD[name]), ODD[name])
    assert freeze({"held": again}, TYPES) == frozen


def test_chance_goes_on_where_it_was() -> None:
    """A seeded generator is state like any other."""
    chance = random.Random(7)
    chance.random()
    again = thaw(freeze({"chance": chance}, {}), {})["chance"]
    assert [again.random() for _ in range(3)] == [chance.random() for _ in range(3)]


def test_what_stands_in_two_places_stands_there_again() -> None:
    """An object is not copied, and a circle closes."""
    row = {"n": 1}
    state: dict[str, Any] = {"rows": {"a": row}, "latest": row, "circle": []}
    state["circle"].append(state["circle"])
    assert plain_json(state) is None
    again = thaw(freeze(state, {}), {})
    assert again["latest"] is again["rows"]["a"]
    assert again["circle"][0] is again["circle"]
    again["latest"]["n"] = 2
    assert [c.table for c in difference(flatten_aliases({k: state[k] for k in ("rows", "latest")}, {}), flatten_aliases(
        {k: again[k] for k in ("rows", "latest")}, {}))] == ["rows", "state"]


@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
def test_a_database_is_kept_by_its_content(driver: str, tmp_path: Any) -> None:
    """Also one on a file, which the thawed connection does not write to; its tables are tables."""
    path = str(tmp_path / "shop.db")
    connection: Any = sqlite3.connect(path) if driver == "sqlite3" else apsw.Connection(path)
    connection.execute("CREATE TABLE item (sku TEXT PRIMARY KEY, price INTEGER)")
    connection.execute("CREATE TABLE log (words TEXT)")
    connection.execute("INSERT INTO item VALUES ('A', 5), ('B', 6)")
    connection.execute("INSERT INTO log VALUES ('opened')")
    if driver == "sqlite3":
        connection.commit()
    frozen = freeze({"db": connection}, {})
    again = thaw(frozen, {})
    before = flatten_aliases(thaw(frozen, {}), {})
    again["db"].execute("UPDATE item SET price = 7 WHERE sku = 'B'")
    again["db"].execute("INSERT INTO log VALUES ('risen')")
    if driver == "sqlite3":
        again["db"].commit()
    assert difference(before, again, View({})) == (
        Change("db.item", "update", "B", {"price": 6}, {"price": 7}),
        Change("db.log", "insert", "2", {}, {"id": "2", "words": "risen"}),
    )
    assert list(connection.execute("SELECT price FROM item WHERE sku = 'B'")) == [(6,)]
    connection.close()


OPEN = sqlite3.connect(":memory:")
OPEN.execute("CREATE TABLE t (x)")
OPEN.execute("INSERT INTO t VALUES (1)")
UNFREEZABLE: dict[str, tuple[Any, str]] = {
    "a function": (len, r"self\.held is of type builtins\.builtin_function_or_method, which cannot be kept as data"),
    "deep inside": ({"a": [1, object()]}, r"self\.held\.a\.1 is of type builtins\.object"),
    "a generator": ((x for x in "ab"), "generator"),
    "a class of elsewhere": (Point(1), r"Point: define the class at the top of a file of the toolkit"),
    "a transaction": (OPEN, "in the middle of a transaction; commit before the tool returns"),
    "a factory of its own": (defaultdict(lambda: 1), "factory of its own"),
    "half a character": ("\ud800", "text that cannot be kept"),
}


@pytest.mark.parametrize("name", UNFREEZABLE)
def test_what_cannot_be_kept_is_named(name: str) -> None:
    """The attribute, its type, and what to do."""
    value, told = UNFREEZABLE[name]
    with pytest.raises(Unfreezable) as caught:
        freeze({"held": value}, {})

    assert re.search(told, str(caught.value)), str(caught.value)


def test_shapes_of_tables() -> None:
    """A mapping of mappings is a table, also inside one that holds tables; so is a list with ids; the rest is one row."""
    state = {
        "db": {"users": {"u1": {"name": "Ada", "home": {"city": "X"}}}, "orders": {"o1": {"by": "u1", "lines": ["a"]}}},
        "log": [{"log_id": 1, "text": "x"}, {"log_id": 2, "text": "y"}],
        "today": "2026-01-01",
        "config": {"limit": 3, "on": True},
        "empty": {},
    }
    assert rows(flatten_aliases(state, {})) == {
        "db.users": {"u1": {"id": "u1", "name": "Ada", "home.city": "X"}},
        "db.orders": {"o1": {"id": "o1", "by": "u1", "lines": '["a"]'}},
        "log": {"1": {"id": "1", "log_id": 1, "text": "x"}, "2": {"id": "2", "log_id": 2, "text": "y"}},
        "state": {"state": {"id": "state", "today": "2026-01-01", "config.limit": 3, "config.on": 1}},
    }


def test_a_change_holds_the_columns_that_changed() -> None:
    """Updates by column, whole rows that come and go; done and undone is nothing."""
    before = {"t": {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 1}}, "n": 1}
    after = {"t": {"a": {"x": 1, "y": 3}, "c": {"x": 5, "y": 5}}, "n": 2}
    assert difference(before, after) == (
        Change("state", "update", "state", {"n": 1}, {"n": 2}),
        Change("t", "delete", "b", {"id": "b", "x": 1, "y": 1}, {}),
        Change("t", "insert", "c", {}, {"id": "c", "x": 5, "y": 5}),
        Change("t", "update", "a", {"y": 2}, {"y": 3}),
    )
    assert difference(before, {"n": 1.0, "t": {"b": {"y": 1, "x": 1}, "a": {"y": 2, "x": 1}}}) == ()
