"""What is true of a whole world, and of every step that its rows take."""

from __future__ import annotations

from collections.abc import Iterator

from synthtools.audit.probe import Probe
from synthtools.domain import Domain
from synthtools.goal import Changes

_queries: dict[tuple[str, tuple[str, ...]], str] = {}


def broken_invariants(probe: Probe, changes: Changes | None = None) -> list[str]:
    """The names of the invariants that some row of the whole world breaks; after `changes`, only those that depend on them."""
    domain = probe.domain
    columns = None if changes is None else _changed(domain, changes)
    wanted = tuple(i.name for i in domain.invariants if columns is None or i.reads & columns)
    if not wanted:
        return []
    query = _queries.get((domain.digest, wanted))
    if query is None:
        shown = ", ".join(f"EXISTS ({i.broken})" for i in domain.invariants if i.name in wanted)
        query = _queries[domain.digest, wanted] = f"SELECT {shown}"
    now = probe.backend.world.now
    row = probe.connection.execute(query, {"now": now, "today": now[:10]}).fetchone() or ()
    return [name for name, broken in zip(wanted, row, strict=True) if broken]


def _changed(domain: Domain, changes: Changes) -> set[str]:
    found: set[str] = set()
    for change in changes:
        columns = change.after if change.op == "update" else domain.tables[change.table].columns
        found.update(f"{change.table}.{column}" for column in columns)
    return found


def illegal_steps(domain: Domain, changes: Changes) -> Iterator[str]:
    """Changes of state that no lifecycle allows."""
    for change in changes:
        if change.op == "update" and "state" in change.after:
            lifecycle = domain.blueprint.entities[change.table].lifecycle
            before, after = str(change.before["state"]), str(change.after["state"])
            if after not in lifecycle.get(before, []):
                yield f"takes {change.table} {change.key} from {before} to {after}"
