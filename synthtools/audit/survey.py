"""An audit: every tool of a domain called on many worlds, alone and in chains, and every call judged."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthtools.audit.perturb import Perturber
from synthtools.audit.probe import Seen
from synthtools.audit.report import shown_call
from synthtools.audit.rules import Rules
from synthtools.audit.world import broken_invariants
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.sample import CallSampler
from synthtools.tool import Tool


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is called."""

    dense: int
    """Dense worlds, numbered -1, -2, …"""
    pretty: int
    sensible: int
    """Calls of each tool in each dense world with arguments as people give them."""
    wide: int
    """The same with arguments on boundaries."""
    chained: int
    """Calls of each tool in the middle of chains of calls."""
    search: int
    """Further calls of a tool while one of its errors has not been reached."""
    replayed: int
    """Every so many-th episode is run again."""
    hostile: int
    """Every so many-th hostile input is sent, a different share to each tool."""
    exhaustive: bool
    """Whether an error that was not reached, or a tool that never succeeded, is a failure."""


THOROUGH = Effort(dense=6, pretty=2, sensible=5, wide=9, chained=12, search=400, replayed=1, hostile=1, exhaustive=True)
QUICK = Effort(dense=2, pretty=0, sensible=2, wide=3, chained=3, search=16, replayed=4, hostile=5, exhaustive=False)
_FINDINGS = 3
"""At most so many findings of one kind for one tool."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A start and calls, with what each answered: to be run again."""

    start: Snapshot
    calls: list[tuple[Tool, Mapping[str, Any], str]] = field(default_factory=list)


@dataclass(slots=True)
class Survey:
    """One audit in progress."""

    domain: Domain
    effort: Effort
    tools: Sequence[Tool]
    """Those that are audited; others are called to lead up to them."""
    backend: LocalBackend
    rules: Rules
    sampler: CallSampler
    perturber: Perturber
    findings: dict[tuple[str, str, str], str] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    reached: set[tuple[str, str]] = field(default_factory=set)
    episodes: list[Episode] = field(default_factory=list)
    calls: int = 0
    broken: dict[Snapshot, frozenset[str]] = field(default_factory=dict)

    def start(self, world: int, clock: int = 0) -> Snapshot:
        """The start of an episode; `clock` moves the day on."""
        if not clock:
            return Snapshot(self.domain.digest, world)
        later = datetime.datetime.fromisoformat(self.domain.now) + datetime.timedelta(days=clock, minutes=95 * clock)
        return Snapshot(self.domain.digest, world, now=later.strftime("%Y-%m-%dT%H:%M"))

    def found(self, tool: str, check: str, detail: str, call: str) -> None:
        """Note a finding, unless there are enough of its kind."""
        key = (tool, check, detail.partition(":")[0][:60])
        known = sum(1 for t, c, _ in self.findings if (t, c) == (tool, check))
        if key not in self.findings and known < _FINDINGS:
            self.findings[key] = f"{detail} | {call}" if call else detail

    def begin(self, start: Snapshot) -> Episode:
        """Stand at a start."""
        self.backend.reset(start)
        if start not in self.broken:
            self.broken[start] = frozenset(broken_invariants(self.rules.probe))
        self.rules.broken_before = self.broken[start]
        self.episodes.append(Episode(start))
        return self.episodes[-1]

    def call(self, tool: Tool, *, sensible: bool) -> Seen | None:
        """One call in the present world, judged; None when the world offers no arguments."""
        arguments = self.sampler.sample(tool, sensible=sensible)
        return None if arguments is None else self.judged(tool, arguments)

    def judged(self, tool: Tool, arguments: Mapping[str, Any]) -> Seen:
        """One call with these arguments, judged."""
        episode = self.episodes[-1]
        before = [name for name, _, error in ((t.name, a, e) for t, a, e in episode.calls) if not error]
        place = f"world {episode.start.world}" + (f" at {episode.start.now}" if episode.start.now else "")
        place += f" after {', '.join(before)}" if before else ""
        seen = self.rules.probe.observe(tool, arguments, place)
        self.calls += 1
        episode.calls.append((tool, arguments, seen.result.content if seen.result else seen.crash))
        if seen.result is not None and seen.result.error is None:
            self.succeeded.add(tool.name)
        elif seen.result is not None:
            self.reached.add((tool.name, seen.result.reason or seen.result.error or ""))
        for check, detail in self.rules.judge(seen):
            self.found(tool.name, check, detail, shown_call(tool.name, arguments, place))
        return seen
