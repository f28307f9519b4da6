"""`synthtools audit`: call every tool, and see whether it does what it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from agents.cli.output import (
    Backend,
    Failed,
    Json,
    Trust,
    Workers,
    counted,
    print_json,
    print_line,
    print_part,
    print_table,
    progress,
    share,
    worker_count,
)
from agents.cli.places import Places, tool_places

if TYPE_CHECKING:
    from synthtools.audit import AuditReport
    from synthtools.audit.measure import MutantReport
    from synthtools.backends import BackendName
    from synthtools.domain import Domain
    from synthtools.task import Task

T = TypeVar("T")
Reports = Mapping[str, "AuditReport"]
"""Domain's name → its report."""


def audit(
    what: Annotated[
        str,
        typer.Argument(metavar="PACK_OR_FILE", help="A pack, a blueprint or toolkit file, or a subdomain; the catalogue if not given."),
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="One world and fewer calls of each tool.")] = False,
    mutants: Annotated[bool, typer.Option("--mutants", help="Also break every tool in many small ways, and list what the audit misses.")] = False,
    workers: Workers = 0,
    backend: Backend = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Call every tool with good, bad and hostile arguments, and hold it to its promises."""
    files = domains_of(what, trust=trust)
    domains, places = list(files.values()), {domain.name: tool_places(domain, file) for file, domain in files.items()}
    reports = audit_all(domains, workers, thorough=not quick, backend=backend, tasks=solved_in(what, domains))
    measures = measure_all(domains, workers) if mutants else {}
    if as_json:
        print_json({**audit_json(reports, places), **(mutants_json(measures) if mutants else {})})
    else:
        print_reports(reports, audit_json(reports, places)["findings"], quick=quick)
        if mutants:
            print_mutants(measures)
    fallen = [len(report.failures) for report in reports.values() if report.failures]
    if fallen:
        raise Failed(f"{counted(sum(fallen), 'finding')} in {counted(len(fallen), 'domain')}; each names the call that shows it")


def domains_of(what: str, *, trust: bool = False) -> dict[Path, Domain]:
    """Blueprint's file → domain, for all that PACK_OR_FILE means."""
    from synthtools.catalog import catalog
    from synthtools.load import load_domain, source_file
    from synthtools.pack import load_pack, pack_folder

    if what and Path(what).is_dir():
        folder = pack_folder(what)
        return {folder / "domains" / f"{name}.yaml": domain for name, domain in load_pack(folder, tasks=False, trust=trust).domains.items()}
    return {source_file(name): load_domain(name, trust=trust) for name in ([what] if what else catalog())}


def solved_in(what: str, domains: Sequence[Domain]) -> tuple[Task, ...]:
    """The tasks beside a toolkit's file: their solutions reach what drawn calls do not."""
    from synthtools.load import is_toolkit
    from synthtools.toolkit.collect import proven_tasks, tasks_file

    if not is_toolkit(what) or not tasks_file(what).is_file():
        return ()
    return proven_tasks(tasks_file(what), domains[0]).tasks


def audit_all(
    domains: Sequence[Domain], workers: int, *, thorough: bool, backend: BackendName | None = None, tasks: Sequence[Task] = ()
) -> dict[str, AuditReport]:
    """Audit in processes, with a bar on stderr."""
    return spread("audit", partial(_audit_one, thorough=thorough, backend=backend, tasks=tasks), domains, workers)


def _audit_one(domain: Domain, *, thorough: bool, backend: BackendName | None, tasks: Sequence[Task]) -> AuditReport:
    from synthtools.audit import audit_domain

    if domain.toolkit is not None:
        from synthtools.backends import open_backend
        from synthtools.toolkit.audit import audit_toolkit

        return audit_toolkit(domain, partial(open_backend, domain, backend), tasks=tasks, thorough=thorough)
    if backend != "docker":
        return audit_domain(domain, thorough=thorough)
    from synthtools.sandbox import DockerBackend

    made = DockerBackend(domain)
    try:
        return made.audit(thorough=thorough)
    finally:
        made.close()


def measure_all(domains: Sequence[Domain], workers: int) -> dict[str, MutantReport]:
    """What the audit catches of broken tools, in processes, with a bar on stderr."""
    from synthtools.audit.measure import audit_mutants

    return spread("mutants", audit_mutants, domains, workers)


def spread(label: str, work: Callable[[Domain], T], domains: Sequence[Domain], workers: int) -> dict[str, T]:
    """Domain's name → what `work` gives for it."""
    done: dict[str, T] = {}
    with progress(label) as update:
        update(0, len(domains))
        for domain, result in zip(domains, _in_processes(work, domains, workers), strict=True):
            done[domain.name] = result
            update(len(done), len(domains))
    return done


def _in_processes(work: Callable[[Domain], T], domains: Sequence[Domain], workers: int) -> Iterator[T]:
    """`work` done on each domain, in order, in processes where that helps."""
    from synthtools.orphan import crew

    count = min(worker_count(workers), len(domains))
    if count <= 1:
        yield from map(work, domains)
        return
    with crew(count) as pool:
        yield from pool.map(work, domains)


def audit_json(reports: Reports, places: Places) -> dict[str, Any]:
    """The keys that scripts rely on."""
    sums = {name: sum(getattr(report, name) for report in reports.values()) for name in ("tools", "calls", "errors_documented", "errors_reached")}
    findings = [
        {
            **{"domain": name, "tool": finding.tool, "check": finding.check, "detail": finding.detail},
            "place": places[name].get(finding.tool, ""),
        }
        for name, report in reports.items()
        for finding in report.failures
    ]
    unaudited = sum(len(report.unaudited) for report in reports.values())
    return {**sums, "domains": len(reports), "unaudited": unaudited, "failures": len(findings), "findings": findings}


def print_reports(reports: Reports, findings: Sequence[Mapping[str, str]], *, quick: bool) -> None:
    """A line a domain, what its columns mean, then every finding."""
    rows = [
        [
            *(name, report.tools, report.calls, f"{report.errors_reached} of {report.errors_documented}"),
            *(len(report.unaudited), len(report.failures)),
        ]
        for name, report in reports.items()
    ]
    print_table("Audit", ("domain", "tools", "calls", "errors reached", "unaudited", "findings"), rows)
    if any(report.unaudited for report in reports.values()):
        print_part("", "Unaudited is what nothing in the blueprint confirms: effects without `ensures`, and refusals that rest on their own word.", 0)
    if quick:
        print_part("", "A quick audit calls little, so not every documented error is reached; without --quick one that is not is a finding.", 0)
    print_findings(findings)
    if not findings:
        print_line("Nothing that was called falls short." if quick else "Nothing falls short.")


def print_findings(findings: Sequence[Mapping[str, str]]) -> None:
    """Every way in which a tool falls short, a line each."""
    for finding in findings:
        place = f"{finding['place']}: " if finding["place"] else ""
        print_line(f"{place}{finding['domain']}.{finding['tool']}  {finding['check']}: {finding['detail']}")


def mutants_json(measures: Mapping[str, MutantReport]) -> dict[str, Any]:
    """How many broken tools the audit told from sound ones, and which it did not."""
    survivors = [
        {"domain": name, "tool": item.tool, "kind": item.kind, "fault": item.fault, "call": item.call}
        for name, report in measures.items()
        for item in report.survivors
    ]
    sums = {name: sum(getattr(report, name) for report in measures.values()) for name in ("mutants", "distinguishable", "detected")}
    kinds = {kind: dict(zip(("mutants", "distinguishable", "detected"), counts, strict=True)) for kind, counts in _by_kind(measures).items()}
    return {**sums, "mutants_by_kind": kinds, "survivors": survivors}


def print_mutants(measures: Mapping[str, MutantReport]) -> None:
    """Share caught by kind, then every survivor."""
    rows = [[kind, made, other, caught, share(caught, other)] for kind, (made, other, caught) in _by_kind(measures).items()]
    print_part(
        "",
        "Mutants are tools broken on purpose. The distinguishable ones answer or change something otherwise in some call that was made; "
        "those of them that no check caught survive, and are listed: what they get wrong is promised nowhere.",
        0,
    )
    print_table("Broken tools", ("kind", "mutants", "distinguishable", "caught", "share"), rows)
    for name, report in measures.items():
        for item in report.survivors:
            print_line(f"{name}.{item.tool}  survives {item.kind}: {item.fault} | {item.call}")


def _by_kind(measures: Mapping[str, MutantReport]) -> dict[str, tuple[int, ...]]:
    kinds: dict[str, tuple[int, ...]] = {}
    for report in measures.values():
        for kind, counts in report.by_kind.items():
            kinds[kind] = tuple(map(sum, zip(kinds.get(kind, (0, 0, 0)), counts, strict=True)))
    return kinds
