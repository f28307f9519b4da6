"""The audit audited: how many faulty tools it tells from the sound ones, and by what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthtools.audit.forced import Refusals
from synthtools.audit.mutants import KINDS, Mutant, mutants
from synthtools.audit.perturb import Perturber
from synthtools.audit.probe import Probe, Seen
from synthtools.audit.report import shown_call
from synthtools.audit.rules import ORDER, Rules
from synthtools.audit.whole import failures_of
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.execute import ToolProgram
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.tool import Tool

_WORLDS = 4
_SENSIBLE, _WIDE, _NUDGED = 10, 14, 12
"""Calls of a tool in each world."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that behaves otherwise, and which nothing caught."""

    tool: str
    kind: str
    fault: str
    """Where and what."""
    call: str
    """A call that shows the difference."""


@dataclass(frozen=True, slots=True)
class MutantReport:
    """What an audit catches of a domain's mutants."""

    domain: str
    mutants: int
    distinguishable: int
    """Mutants of which some call answered or changed something else."""
    detected: int
    by_kind: Mapping[str, tuple[int, int, int]]
    """kind → (mutants, distinguishable, detected)."""
    by_check: Mapping[str, int]
    """Check → mutants that it was the first to catch, in the order of `rules.ORDER`."""
    survivors: tuple[Survivor, ...]

    @property
    def share(self) -> float:
        """Detected among the distinguishable; 1 where there are none."""
        return self.detected / self.distinguishable if self.distinguishable else 1.0


@dataclass(frozen=True, slots=True)
class _Entry:
    """One call of the suite and what the sound tool did."""

    start: Snapshot
    arguments: Mapping[str, Any]
    place: str
    outcome: tuple[Any, ...]


def audit_mutants(domain: Domain, seed: int = 0, limit: int | None = None) -> MutantReport:
    """Make mutants of every tool (at most `limit` of each), and see of which a thorough audit reports a failure."""
    backend = LocalBackend(domain)
    probe = Probe(domain, backend)
    tally: dict[str, list[int]] = {kind: [0, 0, 0] for kind in KINDS}
    by_check: Counter[str] = Counter()
    survivors = []
    for tool in domain.tools.values():
        rules = Rules(probe, Refusals(probe))
        suite = _suite(domain, rules, tool, seed)
        backend.reset(Snapshot(domain.digest, -1))
        made = list(mutants(domain, tool, backend.world.connection))
        if limit is not None and len(made) > limit:
            chosen = set(generator("mutants", domain.name, tool.name, seed).sample(range(len(made)), limit))
            made = [mutant for index, mutant in enumerate(made) if index in chosen]
        sound = failures_of(domain, tool, probe, seed)
        for mutant in made:
            seen = _difference(domain, probe, mutant, suite)
            caught = {check for check, _ in failures_of(domain, mutant.tool, probe, seed) - sound}
            check = next((check for check in ORDER if check in caught), "")
            counts = tally[mutant.kind]
            counts[0] += 1
            counts[1] += seen is not None or bool(check)
            counts[2] += bool(check)
            if check:
                by_check[check] += 1
            elif seen is not None:
                call = shown_call(tool.name, seen.arguments, seen.place)
                survivors.append(Survivor(tool.name, mutant.kind, f"{mutant.where}: {' '.join(mutant.change.split())[:160]}", call))
        probe.programs.clear()
    backend.close()
    totals = [sum(counts[i] for counts in tally.values()) for i in range(3)]
    shares = {kind: (counts[0], counts[1], counts[2]) for kind, counts in tally.items()}
    ordered = {check: by_check[check] for check in ORDER if by_check[check]}
    return MutantReport(domain.name, totals[0], totals[1], totals[2], shares, ordered, tuple(survivors))


def _suite(domain: Domain, rules: Rules, tool: Tool, seed: int) -> list[_Entry]:
    """Calls of the sound tool that break no rule, in dense worlds and in worlds made for them."""
    probe = rules.probe
    sampler = CallSampler(domain, probe.backend, generator("suite", domain.name, tool.name, seed))
    perturber = Perturber(probe, sampler)
    entries: list[_Entry] = []
    plan = [(True, False)] * _SENSIBLE + [(False, False)] * _WIDE + [(True, True), (False, True)] * (_NUDGED // 2)
    for world in range(-1, -_WORLDS - 1, -1):
        start = Snapshot(domain.digest, world)
        for sensible, nudged in plan:
            probe.backend.reset(start)
            arguments = sampler.sample(tool, sensible=sensible)
            if arguments is not None and (not nudged or perturber.nudge(start, tool, arguments)):
                entries += _entry(rules, tool, arguments, f"world {world}{' after a set-up' if nudged else ''}")
        probe.backend.reset(start)
        for arguments in sampler.oddities(tool):
            probe.backend.reset(start)
            entries += _entry(rules, tool, arguments, f"world {world}")
    entries.sort(key=lambda entry: (entry.start.world, entry.start.setup))
    return entries


def _entry(rules: Rules, tool: Tool, arguments: Mapping[str, Any], place: str) -> list[_Entry]:
    """One call of the sound tool, kept if it breaks no rule."""
    stands = rules.probe.backend.snapshot()
    seen = rules.probe.observe(tool, arguments, place)
    if any(rules.judge(seen)):
        return []
    return [_Entry(Snapshot(stands.domain, stands.world, stands.setup), arguments, place, _outcome(seen))]


def _outcome(seen: Seen) -> tuple[Any, ...]:
    changes = tuple((c.table, c.op, c.key, tuple(c.after.items())) for c in seen.changes)
    return (seen.result.content if seen.result else seen.crash, changes)


def _difference(domain: Domain, probe: Probe, mutant: Mutant, suite: list[_Entry]) -> Seen | None:
    """A call that tells a mutant from the sound tool, if the suite has one."""
    probe.programs = {mutant.tool.name: ToolProgram(domain, mutant.tool)}
    stands: Snapshot | None = None
    for entry in suite:
        if stands != entry.start:
            probe.backend.reset(entry.start)
            stands = entry.start
        seen = probe.observe(mutant.tool, entry.arguments, entry.place)
        if _outcome(seen) != entry.outcome:
            return seen
        if seen.changes or not probe.connection.in_transaction:
            stands = None
    return None
