"""An audit: every tool of a domain called on many worlds, alone and in chains, and every call judged."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthtools.audit.forced import Refusals
from synthtools.audit.hostile import attacks, unknown_names, withstand
from synthtools.audit.perturb import Perturber
from synthtools.audit.probe import Probe, Seen
from synthtools.audit.report import AuditReport, Finding, shown_call
from synthtools.audit.rules import Rules, dangling
from synthtools.audit.world import broken_invariants
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.tool import Tool, ToolCall


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
    """Whether an error that was not reached is a failure."""


THOROUGH = Effort(dense=6, pretty=2, sensible=5, wide=9, chained=12, search=240, replayed=1, hostile=1, exhaustive=True)
QUICK = Effort(dense=2, pretty=0, sensible=2, wide=3, chained=3, search=16, replayed=4, hostile=5, exhaustive=False)
_CHAIN = 10
_LEAST = 60
"""A tool that has not succeeded is called at least so often…"""
_WORLDS = 6
"""… on so many worlds."""
_NUDGES = 3
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
    seed: int
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


def audit_domain(domain: Domain, *, thorough: bool = True, seed: int = 0) -> AuditReport:
    """Call every tool of a domain and hold it to what it promises. The same domain and seed give the same report."""
    backend = LocalBackend(domain)
    probe = Probe(domain, backend)
    sampler = CallSampler(domain, backend, generator("audit", domain.name, seed))
    survey = Survey(
        domain, THOROUGH if thorough else QUICK, seed, backend, Rules(probe, Refusals(probe)), sampler, Perturber(probe, sampler)
    )
    try:
        _worlds(survey)
        _singles(survey)
        _chains(survey)
        _searches(survey)
        _hostile(survey)
        _replay(survey)
        return _report(survey)
    finally:
        backend.close()


def _numbers(effort: Effort) -> list[int]:
    return [*range(-1, -effort.dense - 1, -1), *range(effort.pretty)]


def _worlds(survey: Survey) -> None:
    """Every start world holds what always holds, before anything is called."""
    filled: set[str] = set()
    for number in _numbers(survey.effort):
        survey.backend.reset(survey.start(number))
        for name in broken_invariants(survey.rules.probe):
            survey.found("", "start", f"{name} does not hold at the start of world {number}", "")
        if dangling(survey.rules.probe.connection):
            survey.found("", "start", f"a reference of world {number} leads nowhere", "")
        filled |= {t for t in survey.domain.tables if survey.backend.world.connection.execute(f'SELECT EXISTS (SELECT 1 FROM "{t}")').get}
    for table in survey.domain.tables:
        if table not in filled and survey.effort.exhaustive:
            survey.found("", "start", f"no world has any {table}", "")


def _singles(survey: Survey) -> None:
    """Each tool alone, from the start of each world."""
    effort = survey.effort
    for number in _numbers(effort):
        few = number >= 0
        plan = [True] * (2 if few else effort.sensible) + [False] * (2 if few else effort.wide)
        for tool in survey.domain.tools.values():
            survey.begin(survey.start(number))
            for index, sensible in enumerate(plan):
                clock = (0, 0, 0, 1, 2)[index % 5] if number < 0 else 0
                if survey.backend.world.delta() or survey.episodes[-1].start != survey.start(number, clock):
                    survey.begin(survey.start(number, clock))
                survey.call(tool, sensible=sensible)
            for arguments in survey.sampler.oddities(tool) if number >= -2 else ():
                survey.begin(survey.start(number))
                survey.judged(tool, arguments)


def _chains(survey: Survey) -> None:
    """Tools one after another, in dense worlds."""
    effort, rng = survey.effort, survey.sampler.rng
    plan = [tool for tool in survey.domain.tools.values() for _ in range(effort.chained if tool.writes else effort.chained // 3)]
    rng.shuffle(plan)
    for index, tool in enumerate(plan):
        if index % _CHAIN == 0:
            survey.begin(survey.start(-1 - index // _CHAIN % effort.dense, index // _CHAIN % 3))
        survey.call(tool, sensible=rng.random() < 0.6)


def _searches(survey: Survey) -> None:
    """Further calls of tools that have not succeeded, or of which a documented error has not been reached."""
    for tool in survey.domain.tools.values():
        for index in range(max(survey.effort.search, _LEAST)):
            wanted = missing(survey, tool)
            if not wanted or (index >= survey.effort.search and tool.name in survey.succeeded):
                break
            world = -1 - index // 4 % max(survey.effort.dense, _WORLDS) if index % 8 != 4 or not survey.effort.pretty else 0
            start = survey.start(world, (0, 0, 1)[index % 3])
            if index % 3 and tool.name in survey.succeeded:
                _nudged(survey, tool, start, sensible=index % 3 == 1)
                continue
            survey.begin(start)
            writers = _feeders(survey.domain, tool, wanted)
            for _ in range((0, 2, 5)[index // 3 % 3]):
                survey.call(survey.sampler.rng.choice(writers), sensible=True)
            seen = survey.call(tool, sensible=tool.name not in survey.succeeded or index % 2 == 0)
            if seen is not None and seen.changes and index % 4 < 2:
                survey.judged(tool, seen.arguments)


def _nudged(survey: Survey, tool: Tool, start: Snapshot, *, sensible: bool) -> None:
    """A call in a world made for it; only the error that it reaches is noted, since no history led to that world."""
    survey.backend.reset(start)
    arguments = survey.sampler.sample(tool, sensible=sensible)
    for _ in range(_NUDGES):
        if arguments is None or not survey.perturber.nudge(start, tool, arguments, missing(survey, tool)):
            continue
        survey.calls += 1
        result = survey.backend.call(ToolCall(tool.name, arguments))
        if result.error is not None:
            survey.reached.add((tool.name, result.reason or result.error))


def _feeders(domain: Domain, tool: Tool, errors: list[str]) -> list[Tool]:
    """The tools that write what a tool reads, or what the invariants behind these errors read."""
    needed = set(tool.reads).union(*(i.reads for i in domain.invariants if i.error in errors))
    tables = {f"+{read.partition('.')[0]}" for read in needed}
    found = [other for other in domain.tools.values() if other.writes & (needed | tables)]
    return found or [other for other in domain.tools.values() if other.writes] or [tool]


def missing(survey: Survey, tool: Tool) -> list[str]:
    """What of a tool has not been seen: its success, and documented errors."""
    unseen = [error for error in tool.errors if (tool.name, error) not in survey.reached]
    return unseen if tool.name in survey.succeeded else ["success", *unseen]


def _hostile(survey: Survey) -> None:
    start = survey.start(-1)
    for name, what in unknown_names(survey.backend, start):
        survey.found("", "hostile", f"tool name {name!r} {what}", "")
    for number, tool in enumerate(survey.domain.tools.values()):
        survey.backend.reset(start)
        usual = next((a for _ in range(8) if (a := survey.sampler.sample(tool)) is not None), None)
        usual = usual if usual is not None else survey.sampler.sample(tool, sensible=False)
        chosen = list(attacks(tool, usual or {}))[number % survey.effort.hostile :: survey.effort.hostile]
        for row, what in withstand(survey.backend, tool, chosen, start):
            survey.found(tool.name, "hostile", f"{row}: {what}", "")


def _replay(survey: Survey) -> None:
    """The same calls again, in another connection that reads unordered rows backwards: the same answers."""
    backend = LocalBackend(survey.domain)
    reversed_worlds: set[int] = set()
    for episode in survey.episodes[:: survey.effort.replayed]:
        backend.reset(episode.start)
        if episode.start.world not in reversed_worlds:
            backend.world.connection.execute("PRAGMA reverse_unordered_selects = ON")
            reversed_worlds.add(episode.start.world)
        for tool, arguments, content in episode.calls:
            seen = Probe(survey.domain, backend).observe(tool, arguments, "")
            again = seen.result.content if seen.result else seen.crash
            if again != content:
                place = f"world {episode.start.world}"
                survey.found(
                    tool.name,
                    "order",
                    f"answers otherwise when unordered rows are read backwards: {again[:80]}",
                    shown_call(tool.name, arguments, place),
                )
                break
    backend.close()


def _report(survey: Survey) -> AuditReport:
    domain = survey.domain
    for tool in domain.tools.values():
        unseen = missing(survey, tool)
        if "success" in unseen:
            survey.found(tool.name, "promise", "never succeeds, so that its promise was never evaluated", "")
        for error in unseen if survey.effort.exhaustive else ():
            if error != "success":
                survey.findings[tool.name, "unreached", error] = (
                    f"{error} was never reached: make it reachable, or name it in `cannot_break`"
                )
    failures = tuple(Finding(tool, check, detail) for (tool, check, _), detail in sorted(survey.findings.items()))
    documented = [(tool.name, error) for tool in domain.tools.values() for error in tool.errors]
    reached = sum(1 for pair in documented if pair in survey.reached)
    return AuditReport(domain.name, len(domain.tools), survey.calls, failures, tuple(unaudited(survey)), len(documented), reached)


def unaudited(survey: Survey) -> Iterator[Finding]:
    """What nothing in the blueprint can confirm or refute."""
    for tool in survey.domain.tools.values():
        if tool.origin.kind == "hand" and not tool.ensures:
            yield Finding(tool.name, "effect unaudited", "has no `ensures`")
    for (name, error), place in sorted(survey.rules.refusals.unsupported.items()):
        yield Finding(name, "refusal unaudited", f"{error} rests on its own word: say the rule in `ensures` too | {place}")
