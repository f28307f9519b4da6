"""SQLite databases as state: a connection kept by the content of its database, wherever that lies."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import apsw

_TABLES = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
CONNECTIONS: tuple[type, ...] = (sqlite3.Connection, apsw.Connection)


def freeze_connection(connection: Any) -> dict[str, Any]:
    """A connection's database and settings. Raises ValueError for one that cannot be kept, with what to do instead."""
    try:
        busy = connection.in_transaction
        foreign = next(iter(connection.execute("PRAGMA foreign_keys")))[0]
        image = connection.serialize() if isinstance(connection, sqlite3.Connection) else connection.serialize("main")
    except (sqlite3.Error, apsw.Error) as error:
        raise ValueError(f"is a SQLite connection that cannot be read: {error}") from None
    if busy:
        raise ValueError("is a SQLite connection in the middle of a transaction; commit before the tool returns")
    kept = {"$": "sqlite", "driver": "apsw", "foreign_keys": foreign, "image": base64.b64encode(image).decode()}
    if not isinstance(connection, sqlite3.Connection):
        return kept
    if connection.row_factory not in (None, sqlite3.Row):
        raise ValueError("is a SQLite connection with a row factory of its own; use sqlite3.Row, or make rows where they are read")
    return kept | {"driver": "sqlite3", "isolation_level": connection.isolation_level, "rows": connection.row_factory is sqlite3.Row}


def thaw_connection(kept: Mapping[str, Any]) -> Any:
    """A new connection to a database in memory with that content."""
    image = base64.b64decode(kept["image"])
    made: Any = sqlite3.connect(":memory:") if kept["driver"] == "sqlite3" else apsw.Connection(":memory:")
    if image:
        made.deserialize(image) if kept["driver"] == "sqlite3" else made.deserialize("main", image)
    made.execute(f"PRAGMA foreign_keys = {'ON' if kept['foreign_keys'] else 'OFF'}")
    if kept["driver"] == "sqlite3":
        made.isolation_level = kept["isolation_level"]
        made.row_factory = sqlite3.Row if kept["rows"] else None
    return made


@lru_cache(maxsize=8)
def tables(image: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Table → key → row of a database image; the key is the primary key's text, or the rowid. Raises ValueError."""
    connection = apsw.Connection(":memory:")
    try:
        if image:
            connection.deserialize("main", base64.b64decode(image))
        named = connection.execute(_TABLES)
        return {name: dict(_rows(connection, name)) for name in [row[0] for row in named]}
    except apsw.Error as error:
        raise ValueError(f"no SQLite database: {error}") from None
    finally:
        connection.close()


def _rows(connection: apsw.Connection, table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    quoted = '"' + table.replace('"', '""') + '"'
    info = list(connection.execute("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (table,)))
    columns = [str(name) for name, _ in info]
    keys = [str(name) for name, place in sorted(info, key=lambda c: int(str(c[1]))) if place]
    extra = "" if keys else "rowid, "
    for cells in connection.execute(f"SELECT {extra}* FROM {quoted}"):
        row = dict(zip(columns, cells if keys else cells[1:], strict=True))
        shown = {name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()}
        yield ("|".join(str(shown[name]) for name in keys) if keys else str(cells[0])), shown
