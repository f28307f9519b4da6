"""Every database is opened in one way: nothing leaves it, nothing reads the clock, nothing goes on without end."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from synthtools.connection import MAX_VALUE_BYTES, open_connection

ROOT = Path(__file__).parent.parent
SERIES = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?)"
COUNT = f"{SERIES} SELECT COUNT(*) FROM c"


def test_only_one_module_opens_databases() -> None:
    """Apart from the files of a run and of its reviews, and databases that a person's toolkit keeps as its state."""
    opening = re.compile(r"apsw\.Connection\(|\bConnection\(\":memory:")
    modules = [path for package in ("synthtools", "envs", "agents") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in modules if opening.search(path.read_text(encoding="utf-8"))}
    assert found == {"synthtools/connection.py", "synthtools/toolkit/sqlite.py", "agents/run.py", "agents/stored.py", "agents/review/store.py"}


@pytest.mark.parametrize(
    "sql", ["ATTACH '/tmp/nowhere.db' AS a", "VACUUM INTO '/tmp/nowhere.db'", 'SELECT "no column"', "SELECT load_extension('x')"]
)
def test_no_way_out(sql: str) -> None:
    """Also where nothing has been vetted."""
    with pytest.raises(apsw.Error):
        open_connection().execute(sql).fetchall()
    assert not Path("/tmp/nowhere.db").exists()


def test_what_a_connection_is_told() -> None:
    """Also after a deserialize, which forgets it."""
    first = open_connection()
    first.execute("CREATE TABLE t (x)")
    for connection in (first, open_connection(first.serialize("main"))):
        assert connection.execute("SELECT unixepoch('now')").get == connection.execute("SELECT unixepoch()").get == 1722081600
        assert connection.pragma("foreign_keys") == 1
        assert connection.pragma("temp_store") == 2
        assert connection.limit(apsw.SQLITE_LIMIT_LENGTH) == MAX_VALUE_BYTES
        with pytest.raises(apsw.TooBigError):
            connection.execute("SELECT printf('%.*c', 900000, 'x')").fetchall()
        with connection.long_values():
            assert len(connection.execute("SELECT printf('%.*c', 900000, 'x')").get) == 900_000


def test_steps_count_only_inside_a_bound() -> None:
    """Outside, our own statements run as long as they take."""
    connection = open_connection()
    for _ in range(3):
        assert connection.execute(COUNT, (100_000,)).get == 100_000
    with connection.bounded(1_000_000), pytest.raises(apsw.InterruptError):
        connection.execute(COUNT, (100_000,)).fetchall()
    assert connection.execute(COUNT, (100_000,)).get == 100_000


def test_a_sorter_holds_only_so_much() -> None:
    """Two thousand long values would be half a gigabyte; few steps, much memory."""
    connection = open_connection()
    sql = f"{SERIES} SELECT printf('%d%.*c', x, 250000, 'x') AS y, x FROM c ORDER BY y, x"
    with connection.bounded(), pytest.raises(apsw.InterruptError):
        connection.execute(sql, (4000,)).fetchone()
