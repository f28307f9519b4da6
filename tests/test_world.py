"""Worlds: set-ups that stay in their episode, and bounds that depend on the world and the call and on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import apsw
import pytest

from synthtools.audit.whole import audit_domain
from synthtools.backend import LocalBackend, ReplayError, Snapshot
from synthtools.domain import Domain
from synthtools.execute import CallTooLarge, fetched
from synthtools.populate import PopulationError, build_world
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.setup import SetupError
from synthtools.sql import SqlError
from synthtools.tool import ToolCall
from workshop import with_tool, workshop

COUNT = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < :n) SELECT COUNT(*) FROM c)"
NUMBER = "{n: {type: integer, minimum: 0, maximum: 99999999}}"
HEAVY = with_tool(f"""
  look:
    description: Counts.
    parameters: {NUMBER}
    returns: "SELECT {COUNT} AS n"
  rename:
    description: Renames the first customer, having counted.
    parameters: {NUMBER}
    effects: ["UPDATE customer SET name = 'n' || :n WHERE id IN (SELECT MIN(id) FROM customer) AND {COUNT} > 0"]
    returns: SELECT COUNT(*) AS n FROM customer
""")
LIMIT = 2_349_000
"""So far can one statement count within 40 million steps, nearly."""


@pytest.fixture
def fresh() -> Iterator[Callable[[Domain], LocalBackend]]:
    """Makes a backend at the start of a domain's first world."""
    made: list[LocalBackend] = []

    def make(domain: Domain) -> LocalBackend:
        backend = LocalBackend(domain)
        backend.reset(Snapshot(domain.digest, 0))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        backend.close()


def count(backend: LocalBackend, tool: str, n: int) -> str | None:
    """The error of a call that counts so far."""
    return backend.call(ToolCall(tool, {"n": n})).error


def threshold(make: Callable[[Domain], LocalBackend], tool: str) -> int:
    """How far a fresh backend counts before it is stopped, to within two hundred."""
    low, high = 50_000, 300_000
    while high - low > 200:
        middle = (low + high) // 2
        low, high = (middle, high) if count(narrow(make(HEAVY)), tool, middle) is None else (low, middle)
    return low


def narrow(backend: LocalBackend) -> LocalBackend:
    """The backend with a bound of two million steps, which are sooner counted than forty."""
    backend.world.connection.max_ticks = 2_000
    return backend


@pytest.mark.parametrize("tool", ["look", "rename"])
def test_the_bound_depends_on_the_world_and_the_call_alone(fresh: Callable[[Domain], LocalBackend], tool: str) -> None:
    """Whatever ran before in the same backend, and after resets, a call just within the bound is taken and one just beyond is not."""
    within = threshold(fresh, tool)
    used = narrow(fresh(HEAVY))
    for before in (7, 103, 4_009, 50_001):
        assert count(used, tool, before) is None
        assert count(used, tool, within) is None
        assert count(used, tool, within + 400) == "limit"
    used.reset(Snapshot(HEAVY.digest, 0))
    assert count(used, tool, within) is None


def test_a_stopped_read_leaves_the_episode_as_it_is(fresh: Callable[[Domain], LocalBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is played again where nothing was lost."""
    backend = fresh(HEAVY)
    assert count(backend, "rename", 5) is None
    done = backend.changes()
    monkeypatch.setattr(backend, "reset", lambda start: pytest.fail("there was nothing to restore"))
    assert count(backend, "look", 30_000_000) == "limit"
    assert backend.changes() == done


def test_an_accepted_write_is_never_lost_silently(fresh: Callable[[Domain], LocalBackend]) -> None:
    """A write just within the bound stands after another was stopped; one that cannot be played again is our bug, and loud."""
    backend = fresh(HEAVY)
    assert count(backend, "rename", LIMIT - 2_000) is None
    done = backend.changes()
    assert count(backend, "rename", 30_000_000) == "limit"
    assert backend.changes() == done
    backend._log.append(ToolCall("fit_part", {"repair_id": "none", "part_id": "none"}))
    with pytest.raises(ReplayError, match="played again"):
        count(backend, "rename", 30_000_000)


ESCAPES = [
    "UPDATE customer SET name = 'x'; RELEASE episode; SAVEPOINT episode",
    "COMMIT; ATTACH '/tmp/nowhere.db' AS a",
    "PRAGMA foreign_keys = OFF",
    "SELECT load_extension('/tmp/x.so')",
    "CREATE TABLE other (x)",
    "DELETE FROM sqlite_stat1",
    "UPDATE customer SET name = random()",
    "UPDATE customer SET name = :name",
    "UPDATE customer SET nam = 'x'",
    "UPDATE customer SET name = NULL",
    "UPDATE bike SET customer = 'nobody'",
    "UPDATE customer SET name = new_id('nobody')",
    f"UPDATE customer SET name = {COUNT.replace(':n', '99999999')}",
    "",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_a_set_up_stays_in_its_episode(fresh: Callable[[Domain], LocalBackend], sql: str) -> None:
    """What is not one change of the domain's own rows is refused in one line, and the next episode is as if it had never been."""
    backend = fresh(HEAVY)
    before = backend.world.connection.execute("SELECT name FROM customer ORDER BY id").fetchall()
    with pytest.raises(SetupError, match="mend the statement") as caught:
        backend.reset(Snapshot(HEAVY.digest, 0, ("UPDATE customer SET name = 'set up'", sql)))
    assert "\n" not in str(caught.value)
    backend.reset(Snapshot(HEAVY.digest, 0))
    assert backend.world.connection.execute("SELECT name FROM customer ORDER BY id").fetchall() == before
    assert backend.world.connection.pragma("foreign_keys") == 1


def test_only_calls_are_counted(fresh: Callable[[Domain], LocalBackend]) -> None:
    """Neither a set-up nor our own queries use up what a call may take, and they are not interrupted by what a call has used."""
    backend = fresh(HEAVY)
    setup = f"UPDATE customer SET phone = {COUNT.replace(':n', '2000000')} WHERE id IN (SELECT MIN(id) FROM customer)"
    for _ in range(3):
        backend.reset(Snapshot(HEAVY.digest, 0, (setup,)))
        assert count(backend, "look", LIMIT - 2_000) is None
        backend.world.connection.execute(f"SELECT {COUNT}", {"n": 3_000_000}).fetchall()
    sampler = CallSampler(HEAVY, backend, generator("counted"))
    for n in range(3):
        assert sampler.options(f"SELECT {COUNT.replace(':n', str(2_000_000 + n))}", {}) == [2_000_000 + n]
    with pytest.raises(SqlError, match="more steps than a call may take"):
        sampler.options(f"SELECT {COUNT.replace(':n', '9000000')}", {})


DATA = {
    "json_extract(:text, '$.a')": "not json",
    "json_extract('{}', :text)": "no path",
    "(SELECT SUM(9223372036854775807) FROM part)": "",
    "abs(-9223372036854775807 - 1)": "",
    "x'ff'": "",
    "CAST(x'ff' AS TEXT)": "",
}


@pytest.mark.parametrize("expression", DATA)
@pytest.mark.parametrize("writes", [False, True])
def test_data_that_sql_cannot_work_with_is_a_typed_error(fresh: Callable[[Domain], LocalBackend], expression: str, writes: bool) -> None:
    """The call has failed and changed nothing, and the episode goes on."""
    domain = with_tool(f"""
  odd:
    description: Works with a text.
    parameters: {{text: {{type: string, max_length: 40}}}}
    effects: {["UPDATE part SET stock = stock + 1"] if writes else []}
    returns: "SELECT {expression} AS found"
""")
    backend = fresh(domain)
    result = backend.call(ToolCall("odd", {"text": DATA[expression]}))
    assert result.error == "failed"
    assert not backend.changes()
    assert backend.world.connection.in_transaction
    assert backend.call(ToolCall("odd", {"text": 3})).error == "invalid_argument"


def test_an_audit_reports_what_a_tool_should_have_guarded() -> None:
    """A typed error for the agent is a finding for whoever wrote the tool."""
    domain = with_tool("""
  odd:
    description: Works with a text.
    parameters: {text: {type: string, max_length: 40}}
    returns: "SELECT json_extract(:text, '$.a') AS found"
""")
    report = audit_domain(domain, thorough=False)
    assert any(finding.tool == "odd" and finding.check in ("crash", "hostile") for finding in report.failures)


def test_a_result_is_given_up_before_it_is_all_there(fresh: Callable[[Domain], LocalBackend]) -> None:
    """Of many long rows a few are fetched; the call says that it is too much."""
    domain = with_tool("""
  all:
    description: Everything at once.
    parameters: {n: {type: integer, minimum: 0, maximum: 99}}
    returns: "SELECT id, printf('%.*c', 200000, 'x') AS long FROM part WHERE stock < :n ORDER BY id"
""")
    backend = fresh(domain)
    result = backend.call(ToolCall("all", {"n": 99}))
    assert (result.error, "too long" in result.content) == ("limit", True)
    assert backend.call(ToolCall("all", {"n": 0})).error is None
    seen: list[int] = []
    connection = apsw.Connection(":memory:")
    connection.create_scalar_function("seen", lambda x: seen.append(x) or "x" * 1000, 1)
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 9999) SELECT seen(x) FROM c"
    with pytest.raises(CallTooLarge):
        fetched(connection.execute(sql), 10_000)
    assert len(seen) < 50


def test_a_world_that_takes_too_long_to_draw_says_which_table() -> None:
    """A field's own SQL may be endless; drawing is not."""
    endless = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000000) SELECT COUNT(*) FROM c)"
    domain = workshop("price: {money: part.price}", f'price: {{money: "{endless}"}}')
    with pytest.raises(PopulationError, match="rows of fitting takes too long"):
        build_world(domain, 0, 1000)
