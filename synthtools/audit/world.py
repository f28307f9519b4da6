"""What is true of a whole world, and of every step that its rows take."""

from __future__ import annotations

from collections.abc import Iterator

from synthtools.audit.probe import Probe
from synthtools.domain import Domain
from synthtools.goal import Changes

_queries: dict[str, str] = {}


def broken_invariants(probe: Probe) -> list[str]:
    """The names of the invariants that some row of the whole world breaks."""
    domain = probe.domain
    query = _queries.get(domain.digest)
    if query is None:
        shown = ", ".join(f"EXISTS ({invariant.broken})" for invariant in domain.invariants)
        query = _queries[domain.digest] = f"SELECT {shown or 0}"
    row = probe.connection.execute(query).fetchone() or ()
    return [invariant.name for invariant, broken in zip(domain.invariants, row, strict=False) if broken]


def illegal_steps(domain: Domain, changes: Changes) -> Iterator[str]:
    """Changes of state that no lifecycle allows."""
    for change in changes:
        if change.op == "update" and "state" in change.after:
            lifecycle = domain.blueprint.entities[change.table].lifecycle
            before, after = str(change.before["state"]), str(change.after["state"])
            if after not in lifecycle.get(before, []):
                yield f"takes {change.table} {change.key} from {before} to {after}"
