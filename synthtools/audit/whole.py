"""The audit of a domain: every tool called on many worlds, alone and in chains, and every call judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from synthtools.audit.forced import Refusals
from synthtools.audit.hostile import attacks, unknown_names, withstand
from synthtools.audit.perturb import Perturber
from synthtools.audit.probe import Probe
from synthtools.audit.report import AuditReport, Finding, shown_call
from synthtools.audit.rules import Rules, dangling
from synthtools.audit.search import missing, reach_the_rest
from synthtools.audit.survey import QUICK, THOROUGH, Effort, Survey
from synthtools.audit.world import broken_invariants
from synthtools.backend import LocalBackend
from synthtools.domain import Domain
from synthtools.execute import ToolProgram
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.tool import Tool

_CHAIN = 10


def audit_domain(domain: Domain, *, thorough: bool = True, seed: int = 0) -> AuditReport:
    """Call every tool of a domain and hold it to what it promises. The same domain and seed give the same report."""
    probe = Probe(domain, LocalBackend(domain))
    survey = _survey(domain, probe, tuple(domain.tools.values()), THOROUGH if thorough else QUICK, seed)
    try:
        for part in (_worlds, _singles, _chains, reach_the_rest, _hostile, _replay, _taken_together):
            part(survey)
        return _report(survey)
    finally:
        probe.backend.close()


def failures_of(domain: Domain, tool: Tool, probe: Probe, seed: int = 0) -> set[tuple[str, str]]:
    """(check, what) for the first failures that a thorough audit of this tool alone finds in it, put in the place of the domain's own."""
    probe.programs = {tool.name: ToolProgram(domain, tool)}
    survey = _survey(replace(domain, tools={**domain.tools, tool.name: tool}), probe, (tool,), THOROUGH, seed)
    for part in (_singles, _chains, reach_the_rest, _replay, _taken_together):
        part(survey)
        found = {(check, what) for name, check, what in survey.findings if name == tool.name}
        if found:
            return found
    return set()


def _survey(domain: Domain, probe: Probe, tools: tuple[Tool, ...], effort: Effort, seed: int) -> Survey:
    sampler = CallSampler(domain, probe.backend, generator("audit", domain.name, seed))
    return Survey(domain, effort, tools, probe.backend, Rules(probe, Refusals(probe)), sampler, Perturber(probe, sampler))


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
        for tool in survey.tools:
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
    plan = [tool for tool in survey.tools for _ in range(effort.chained if tool.writes else effort.chained // 3)]
    rng.shuffle(plan)
    for index, tool in enumerate(plan):
        if index % _CHAIN == 0:
            survey.begin(survey.start(-1 - index // _CHAIN % effort.dense, index // _CHAIN % 3))
        survey.call(tool, sensible=rng.random() < 0.6)


def _hostile(survey: Survey) -> None:
    start = survey.start(-1)
    for name, what in unknown_names(survey.backend, survey.domain, start):
        survey.found("", "hostile", f"tool name {name!r} {what}", "")
    for number, tool in enumerate(survey.tools):
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
            seen = Probe(survey.domain, backend, survey.rules.probe.programs).observe(tool, arguments, "")
            again = seen.result.content if seen.result else seen.crash
            if again != content:
                call = shown_call(tool.name, arguments, f"world {episode.start.world}")
                detail = f"answers otherwise when run again, unordered rows read backwards: {difference(content, again)}"
                survey.found(tool.name, "order", detail, call)
                break
    backend.close()


def difference(one: str, other: str) -> str:
    """The neighbourhood of the first character in which two texts differ."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, at - 30)
    return f"…{one[start : at + 40]}… and …{other[start : at + 40]}…"


def _taken_together(survey: Survey) -> None:
    """What all refusals of a tool show together; and what a thorough audit must have seen: its success, each documented error."""
    for tool in survey.tools:
        for check, detail in survey.rules.refusals.faults(tool):
            survey.found(tool.name, check, detail, "")
    for tool in survey.tools if survey.effort.exhaustive else ():
        for error in missing(survey, tool):
            if error == "success":
                survey.found(tool.name, "promise", "never succeeds, so that its promise was never evaluated", "")
            else:
                survey.findings[tool.name, "unreached", error] = f"{error} was never reached: make it reachable, or name it in `cannot_break`"


def _report(survey: Survey) -> AuditReport:
    domain = survey.domain
    failures = tuple(Finding(tool, check, detail) for (tool, check, _), detail in sorted(survey.findings.items()))
    documented = [(tool.name, error) for tool in domain.tools.values() for error in tool.errors]
    reached = sum(1 for pair in documented if pair in survey.reached)
    return AuditReport(domain.name, len(domain.tools), survey.calls, failures, tuple(unaudited(survey)), len(documented), reached)


def unaudited(survey: Survey) -> Iterator[Finding]:
    """What nothing in the blueprint can confirm or refute."""
    for tool in survey.domain.tools.values():
        if tool.origin.kind == "hand" and not tool.ensures:
            yield Finding(tool.name, "effect unaudited", "has no `ensures`")
        elif tool.name not in survey.succeeded and not survey.effort.exhaustive:
            yield Finding(tool.name, "effect unaudited", "did not succeed in a quick audit")
    refusals = survey.rules.refusals
    for (name, error), place in sorted(refusals.unsupported.items()):
        if (name, error) in refusals.promised:
            continue
        yield Finding(name, "refusal unaudited", f"{error} rests on its own word: say the rule in `ensures` too | {place}")
