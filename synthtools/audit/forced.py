"""Forced effect: when a tool refuses, run its effects anyway; if nothing breaks, why did it refuse?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from synthtools.audit.probe import CRASHES, Probe, Seen
from synthtools.audit.promised import broken_ensures
from synthtools.audit.world import broken_invariants, illegal_steps
from synthtools.execute import ToolProgram
from synthtools.fuzz import slots_of
from synthtools.goal import Changes
from synthtools.promise import broken
from synthtools.tool import Guard, Tool


@dataclass(slots=True)
class Refusals:
    """Looks for what supports a refusal: an unknown id, a lifecycle, a reference, an invariant, a policy, a promise."""

    probe: Probe
    unsupported: dict[tuple[str, str], str] = field(default_factory=dict)
    """(tool, error) → a refusal that nothing but the guard itself supports."""
    promised: set[tuple[str, str]] = field(default_factory=set)
    """(tool, error) of refusals that a promise supports."""
    strangers: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(tool, argument) → the errors answered where that argument alone names a row that does not exist."""
    usual: set[tuple[str, str]] = field(default_factory=set)
    """(tool, error) of refusals where all rows named exist."""

    def unjustified(self, seen: Seen) -> Iterator[str]:
        """What is wrong with a documented refusal; the world stands as before the call."""
        if seen.scope is None or seen.result is None:
            return
        unknown = self._unknown(seen)
        if unknown:
            if len(unknown) == 1 and isinstance(seen.arguments[unknown[0]], str):
                self.strangers.setdefault((seen.tool.name, unknown[0]), set()).add(seen.result.reason)
            return
        self.usual.add((seen.tool.name, seen.result.reason))
        guard = self.guard(seen.tool, seen.scope)
        if guard is not None and guard.error != seen.result.reason:
            yield f"answers {seen.result.reason}, where its guard says {guard.error}"
            return
        if self._supported(seen):
            return
        if guard is not None and (seen.tool.read_only or (guard.because and seen.tool.origin.kind == "hand")):
            self.unsupported.setdefault((seen.tool.name, guard.error), seen.place)
        else:
            yield f"refuses with {seen.result.reason}, though its effects break no invariant, lifecycle, reference, policy or promise"

    def guard(self, tool: Tool, scope: Mapping[str, Any]) -> Guard | None:
        """The guard that refuses; None where an invariant does."""
        program = self.probe.program(tool).tool.program
        if not program.guard_sql:
            return None
        number = self.probe.connection.execute(program.guard_sql, scope).get
        return program.guards[number] if number >= 0 else None

    def faults(self, tool: Tool) -> Iterator[tuple[str, str]]:
        """(check, what is wrong) with a tool's refusals taken together."""
        for (name, argument), errors in self.strangers.items():
            if name == tool.name and all((name, error) in self.usual for error in errors):
                yield "unknown row", f"{argument} may name a row that does not exist, and no error says so: {', '.join(sorted(errors))}"
        for (name, error), place in self.unsupported.items():
            if name == tool.name and (name, error) in self.promised:
                yield "forced effect", f"refuses with {error} also what its `ensures` allow | {place}"

    def _unknown(self, seen: Seen) -> list[str]:
        """The arguments that name a row which does not exist."""
        found = []
        for name, slot in slots_of(self.probe.domain, seen.tool).items():
            entity = slot.refers or (slot.item.refers if slot.item else "")
            value = seen.arguments.get(name)
            if not entity or value is None:
                continue
            wanted = value if isinstance(value, list) else [value]
            sql = f'SELECT COUNT(*) FROM "{entity}" WHERE id IN (SELECT value FROM json_each(?))'
            if self.probe.connection.execute(sql, (orjson.dumps(wanted).decode(),)).get < len(set(wanted)):
                found.append(name)
        return found

    def _supported(self, seen: Seen) -> bool:
        """Whether forcing the effects breaks something, or has no effect at all; the world is put back."""
        connection, world = self.probe.connection, self.probe.backend.world
        program, scope = self.probe.program(seen.tool), dict(seen.scope or {})
        counters = dict(world.counters)
        connection.execute("SAVEPOINT forced")
        world.touched.clear()
        try:
            with self.probe.recording() as recorded, connection.bounded():
                program.run_effects(connection, scope)
            return self._breaks(seen, program, scope, recorded.changes)
        except CRASHES:
            return True
        finally:
            world.counters = counters
            if connection.in_transaction:
                connection.execute("ROLLBACK TO forced")
                connection.execute("RELEASE forced")

    def _breaks(self, seen: Seen, program: ToolProgram, scope: dict[str, Any], changes: Changes) -> bool:
        probe = self.probe
        forced = Seen(seen.tool, seen.arguments, seen.place, seen.scope, seen.result, "", changes, {})
        if seen.tool.read_only:
            return self._promised(forced, program, scope)
        if not changes or self._stands_still(seen.tool, changes) or broken_invariants(probe, changes) or any(illegal_steps(probe.domain, changes)):
            return True
        calls = [(seen.tool.name, dict(seen.arguments), "")]
        if any(broken(probe.connection, probe.domain, policy, changes, calls) for policy in probe.domain.policies):
            return True
        return self._promised(forced, program, scope)

    def _promised(self, forced: Seen, program: ToolProgram, scope: dict[str, Any]) -> bool:
        """Whether the promise would be broken, had the call not been refused."""
        value = orjson.loads(program.render(self.probe.connection, scope))
        if not any(broken_ensures(self.probe, forced, value, forced.scope or {})):
            return False
        self.promised.add((forced.tool.name, forced.result.reason if forced.result else ""))
        return True

    def _stands_still(self, tool: Tool, changes: Changes) -> bool:
        """Whether a row that the tool would bring into a state is in it already."""
        connection, touched = self.probe.connection, self.probe.backend.world.touched
        for table, rowids in touched.items():
            if f"{table}.state" not in tool.writes or f"+{table}" in tool.writes:
                continue
            moved = {change.key for change in changes if change.table == table and "state" in change.after}
            ids = connection.execute(f'SELECT id FROM "{table}" WHERE rowid IN (SELECT value FROM json_each(?))', (orjson.dumps(rowids).decode(),))
            if any(row[0] not in moved for row in ids):
                return True
        return False
