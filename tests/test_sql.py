"""SQL: what is bound, what is refused, and which order of results is accepted."""

from __future__ import annotations

import apsw
import pytest

from synthtools.order import refuse_partial_order
from synthtools.sql import SqlError, bind, examine, resolve_paths, substitute


@pytest.fixture
def connection() -> apsw.Connection:
    """Two tables."""
    made = apsw.Connection(":memory:")
    made.execute("CREATE TABLE boat (id TEXT PRIMARY KEY, name TEXT, length INTEGER) STRICT")
    made.execute("CREATE TABLE stay (id TEXT PRIMARY KEY, boat TEXT REFERENCES boat(id), nights INTEGER) STRICT")
    return made


def test_dotted_parameters_become_plain_ones() -> None:
    """References with a dot are renamed; strings and comments are left alone or dropped."""
    text, names = bind("SELECT :order.status, ':no.t', x.y -- :nor.this\nFROM x WHERE id = :id;")
    assert text == "SELECT :order__status, ':no.t', x.y \nFROM x WHERE id = :id"
    assert names == {"order__status", "id"}


FORBIDDEN = [
    "DELETE FROM boat",
    "PRAGMA foreign_keys = OFF",
    "ATTACH ':memory:' AS x",
    "SELECT 1; SELECT 2",
    "SELECT random()",
    "SELECT last_insert_rowid()",
    "SELECT CURRENT_TIMESTAMP",
    "SELECT datetime('now')",
    "SELECT date('2026-01-01', 'localtime')",
    "SELECT * FROM sqlite_schema",
    "SELECT sqlite_version()",
    "SELECT zeroblob(10)",
    "SELECT * FROM pragma_table_info('boat')",
    "EXPLAIN SELECT 1",
    "CREATE TABLE x (y)",
    "VACUUM",
    "SAVEPOINT x",
    "SELECT name, name FROM boat",
    'SELECT "nothing" FROM boat',
    "",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_reads_refuse_everything_but_plain_queries(connection: apsw.Connection, sql: str) -> None:
    """Whatever is not one deterministic query over the domain's own tables is refused."""
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    with pytest.raises(SqlError):
        examine(connection, sql, write=False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "INSERT OR REPLACE INTO boat VALUES ('a', 'b', 1)",
        "INSERT OR IGNORE INTO boat VALUES ('a', 'b', 1)",
        "REPLACE INTO boat VALUES ('a', 'b', 1)",
    ],
)
def test_effects_refuse_queries_and_silent_conflicts(connection: apsw.Connection, sql: str) -> None:
    """An effect changes rows, and never hides a conflict."""
    with pytest.raises(SqlError):
        examine(connection, sql, write=True)


def test_reads_and_writes_are_derived(connection: apsw.Connection) -> None:
    """SQLite itself says what a statement touches."""
    facts = examine(connection, "UPDATE stay SET nights = nights + (SELECT length FROM boat WHERE id = stay.boat)", write=True)
    assert facts.writes == {"stay.nights"}
    assert {"boat.length", "boat.id", "stay.boat", "stay.nights"} <= facts.reads
    assert examine(connection, "INSERT INTO boat VALUES ('a', 'b', 1)", write=True).writes == {"+boat"}
    assert examine(connection, "DELETE FROM stay WHERE id = 'x'", write=True).writes == {"-stay"}
    assert examine(connection, "SELECT s.id, b.name AS n, 1 AS one FROM stay s JOIN boat b ON b.id = s.boat", write=False).origins == (
        ("stay", "id"),
        ("boat", "name"),
        None,
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM boat LIMIT 3",
        "SELECT id, name FROM boat ORDER BY name",
        "SELECT id FROM boat ORDER BY length LIMIT 3",
        "SELECT group_concat(name) AS names FROM boat",
        "SELECT json_group_array(name) AS names FROM boat",
        "SELECT b.name, COUNT(*) AS n FROM boat b GROUP BY b.name, b.length ORDER BY b.name",
    ],
)
def test_an_order_that_can_tie_is_refused(sql: str) -> None:
    """LIMIT, lists and text aggregates need a total order."""
    with pytest.raises(SqlError):
        refuse_partial_order(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM boat ORDER BY id LIMIT 3",
        "SELECT id, name FROM boat ORDER BY name, id",
        "SELECT group_concat(name ORDER BY id) AS names FROM boat",
        "SELECT name, COUNT(*) AS n FROM boat GROUP BY name ORDER BY name",
        "SELECT DISTINCT name FROM boat ORDER BY name",
        "SELECT COUNT(*) AS n FROM boat",
    ],
)
def test_a_total_order_is_accepted(sql: str) -> None:
    """An order that ends in a key, or names every group, is total."""
    refuse_partial_order(sql)


def test_paths_become_look_ups_outside_subqueries_only() -> None:
    """Dotted names are followed through references; a subquery's own names are left to it."""

    def target(path: tuple[str, ...]) -> tuple[str, ...] | None:
        return {("nights",): (), ("boat", "length"): ("boat",)}.get(path)

    text = resolve_paths("nights < boat.length AND EXISTS (SELECT 1 FROM boat WHERE nights = 2) AND max(nights, 1) > 0", "t", target)
    assert text == (
        't.nights < (SELECT "length" FROM "boat" WHERE id = t.boat) AND EXISTS (SELECT 1 FROM boat WHERE nights = 2) AND max(t.nights, 1) > 0'
    )


def test_messages_substitute_named_values_only() -> None:
    """No format language: a name in braces, or an error."""
    assert substitute("{a.b} is {c}.", frozenset({"a__b", "c"})) == [("value", "a__b"), ("text", " is "), ("value", "c"), ("text", ".")]
    for message in ("{0.__class__}", "{x!r}", "{", "{c:>10}"):
        with pytest.raises(SqlError):
            substitute(message, frozenset({"c"}))
