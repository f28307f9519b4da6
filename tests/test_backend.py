"""The local backend: savepoints, net changes, forks, bounds, and mistakes that leave no trace."""

from __future__ import annotations

import time
from collections.abc import Iterator

import orjson
import pytest

from small import TEXT, tool_shed
from synthtools.backend import LocalBackend, Snapshot
from synthtools.catalog import catalog
from synthtools.load import load_domain
from synthtools.stream import TaskStream
from synthtools.task import resolve
from synthtools.tool import ToolCall

NAMES = tuple(catalog())


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    """The shed at the start of its first world."""
    made = LocalBackend(tool_shed())
    made.reset(Snapshot(made.domain.digest, 0))
    yield made
    made.close()


def ids(backend: LocalBackend, sql: str) -> list[str]:
    """The first column of a query."""
    return [row[0] for row in backend.world.connection.execute(sql)]


FREE = "SELECT id FROM tool AS t WHERE state = 'in' AND NOT EXISTS (SELECT 1 FROM loan WHERE tool = t.id AND ends > '2026-03-02') ORDER BY id"


def lend(backend: LocalBackend, days: int = 2) -> ToolCall:
    """A call that succeeds: a tool that nobody has, to the first neighbour."""
    neighbour = ids(backend, "SELECT id FROM neighbour ORDER BY id")[0]
    return ToolCall("lend", {"tool_id": ids(backend, FREE)[0], "neighbour_id": neighbour, "days": days})


def test_a_call_changes_exactly_what_it_says(backend: LocalBackend) -> None:
    """One loan added, one tool out, one neighbour charged; amounts are shown in units."""
    call = lend(backend)
    rate = backend.world.connection.execute("SELECT day_rate FROM tool WHERE id = ?", (call.arguments["tool_id"],)).get  # type: ignore[index]
    result = backend.call(call)
    assert result.error is None
    assert float(orjson.loads(result.content)["charged"]) == rate * 2 / 100
    assert [(c.table, c.op) for c in backend.changes()] == [("loan", "insert"), ("neighbour", "update"), ("tool", "update")]


def test_a_refused_call_changes_nothing_and_gives_its_ids_back(backend: LocalBackend) -> None:
    """After a guard, an invariant or a constraint has said no, the world and the id counters are as before."""
    before = backend.snapshot()
    out = ids(backend, "SELECT id FROM tool WHERE state = 'out' ORDER BY id")
    refused = backend.call(ToolCall("lend", {**lend(backend).arguments, "tool_id": out[0] if out else "T-999"}))  # type: ignore[dict-item]
    assert refused.error == "refused"
    assert refused.reason in ("is_out", "no_such_tool")
    assert backend.snapshot() == before


def test_do_then_undo_is_no_change(backend: LocalBackend) -> None:
    """A net change is what remains."""
    neighbour = ids(backend, "SELECT id FROM neighbour ORDER BY id")[0]
    tool = next(t for t in backend.domain.tools.values() if t.key == "update_neighbour")
    name = backend.world.connection.execute("SELECT name FROM neighbour WHERE id = ?", (neighbour,)).get
    assert backend.call(ToolCall(tool.name, {"neighbour_id": neighbour, "name": "Somebody Else"})).error is None
    assert len(backend.changes()) == 1
    assert backend.call(ToolCall(tool.name, {"neighbour_id": neighbour, "name": name})).error is None
    assert backend.changes() == ()


def test_an_invariant_refuses_with_its_own_error(backend: LocalBackend) -> None:
    """A second loan of the same tool over the same days is refused by the invariant, not by a guard."""
    tool = next(t for t in backend.domain.tools.values() if t.key == "create_loan")
    taken = backend.world.connection.execute("SELECT tool, neighbour, begins, ends FROM loan ORDER BY id LIMIT 1").fetchone()
    arguments = dict(zip(("tool_id", "neighbour_id", "begins", "ends"), taken, strict=True))
    assert backend.call(ToolCall(tool.name, arguments)).reason == "taken"
    assert backend.call(ToolCall(tool.name, {**arguments, "ends": arguments["begins"]})).reason == "dates_reversed"


@pytest.mark.parametrize("name", NAMES)
def test_fork_at_every_step_of_solutions(name: str) -> None:
    """From a snapshot after any step, the rest of the solution gives the same results and net change; the original is untouched."""
    domain = load_domain(name)
    stream = TaskStream(domain, 2, length=6)
    original, fork = LocalBackend(domain), LocalBackend(domain)
    for task in (stream[i] for i in range(6)):
        original.reset(task.start)
        results: list[object] = []
        calls = []
        snapshots = [original.snapshot()]
        for step in task.solution[:-1]:
            calls.append(resolve(step, results))
            results.append(orjson.loads(original.call(calls[-1]).content))
            snapshots.append(original.snapshot())
        for at, snapshot in enumerate(snapshots):
            fork.reset(snapshot)
            assert [orjson.loads(fork.call(c).content) for c in calls[at:]] == results[at:]
            assert fork.changes() == original.changes()
        assert original.snapshot() == snapshots[-1]
    original.close()
    fork.close()


RUNAWAY = TEXT.replace(
    "    let: {tool:",
    """    let:
      slow: "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 400000000 * (:days > 8)) SELECT COUNT(*) AS steps FROM n"
      tool:""",
    1,
).replace('WHERE id = :tool_id"}', 'WHERE id = :tool_id"', 1)


def test_a_runaway_read_is_stopped_and_the_episode_goes_on() -> None:
    """A call that takes too many steps is an error of its own kind; what was done before it stays done."""
    backend = LocalBackend(tool_shed(RUNAWAY))
    backend.reset(Snapshot(backend.domain.digest, 0))
    assert backend.call(lend(backend)).error is None
    done = backend.changes()
    begun = time.monotonic()
    assert backend.call(lend(backend, 9)).error == "limit"
    assert time.monotonic() - begun < 60
    assert backend.changes() == done
    backend.close()


WRITING = TEXT.replace(
    "      - UPDATE tool SET state = 'out', loans = loans + 1 WHERE id = :tool_id",
    "      - \"UPDATE tool SET state = 'out', loans = loans + (SELECT COUNT(*) > 0 FROM (WITH RECURSIVE n(x) AS "
    '(SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 400000000 * (:days > 8)) SELECT x FROM n)) WHERE id = :tool_id"',
    1,
)


def test_a_write_that_is_stopped_does_not_lose_the_episode() -> None:
    """SQLite rolls the whole transaction back when a write is interrupted; the calls that had succeeded are done again."""
    backend = LocalBackend(tool_shed(WRITING))
    backend.reset(Snapshot(backend.domain.digest, 0))
    first = backend.call(lend(backend))
    assert first.error is None
    done, snapshot = backend.changes(), backend.snapshot()
    assert backend.call(lend(backend, 9)).error == "limit"
    assert backend.changes() == done
    assert backend.snapshot() == snapshot
    assert backend.call(lend(backend)).error is None
    backend.close()


def test_another_domains_snapshot_is_refused(backend: LocalBackend) -> None:
    """Our own mistake, so an exception."""
    with pytest.raises(ValueError, match="another domain"):
        backend.reset(Snapshot("no such digest", 0))


def test_unknown_tools_are_the_agents_mistake(backend: LocalBackend) -> None:
    """Whatever the name, the answer is a result."""
    for name in ("", "LEND", " lend", "__init__", "reset", "lend\x00", "functions.lend", "é" * 500):
        assert backend.call(ToolCall(name, {})).error == "unknown_tool"


@pytest.mark.parametrize("name", NAMES)
def test_worlds_are_the_same_bytes_in_every_process(name: str) -> None:
    """A start world is a function of the domain and its number alone."""
    from synthtools.populate import build_world

    domain = load_domain(name)
    assert build_world(domain, 1, 300) == build_world(domain, 1, 300)
