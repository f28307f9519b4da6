"""The audit of a domain: every tool called on many worlds, alone and in chains, and every call judged."""

from __future__ import annotations

from collections.abc import Iterator

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
from synthtools.sample import CallSampler
from synthtools.seed import generator

_CHAIN = 10


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
        reach_the_rest(survey)
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


def _report(survey: Survey) -> AuditReport:
    domain = survey.domain
    for tool in domain.tools.values():
        unseen = missing(survey, tool)
        if "success" in unseen and survey.effort.exhaustive:
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
        elif tool.name not in survey.succeeded and not survey.effort.exhaustive:
            yield Finding(tool.name, "effect unaudited", "did not succeed in a quick audit")
    for (name, error), place in sorted(survey.rules.refusals.unsupported.items()):
        yield Finding(name, "refusal unaudited", f"{error} rests on its own word: say the rule in `ensures` too | {place}")
