"""`synthtools run`: the whole way from the catalogue to a dataset."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agents.cli.audit import audit_all, audit_json, print_findings
from agents.cli.export import write_export
from agents.cli.generate import Names, TasksPerDomain, make_pack, refuse_empty, sources_of
from agents.cli.output import Backend, BadInput, Failed, Json, Out, Seed, Workers, counted, make_folder, print_json, print_line, print_part, program
from agents.cli.places import tool_places
from agents.cli.results import print_agents, results_json
from agents.cli.rollout import complain, roll
from agents.cli.tasks import dropped, print_made

if TYPE_CHECKING:
    from agents.dataset import Exported
    from agents.rollout import Plan
    from agents.summary import Results
    from synthtools.backends import BackendName
    from synthtools.domain import Domain
    from synthtools.pack import Pack


def run(
    out: Out,
    names: Names = None,
    seed: Seed = 0,
    tasks_per_domain: TasksPerDomain = None,
    workers: Workers = 0,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Generate tasks from the catalogue, audit its tools quickly, roll out seven agents, validate, export, and sum up.

    Killed at any moment, the same command goes on where it was.
    """
    from agents.run import claim
    from synthtools.backends import refuse_no_engine
    from synthtools.generate import TASKS_PER_DOMAIN

    begun = time.monotonic()
    each = tasks_per_domain or TASKS_PER_DOMAIN
    sources = sources_of(names)
    digests = {name: domain.digest for name, domain in sources.items()}
    refuse_no_engine(sources.values(), backend)
    make_folder(out)
    refuse_changed(out, digests)
    with claim(out, {"seed": seed, "tasks_per_domain": each, "names": names or [], "sources": digests}) as held:
        pack = grown_pack(out / "pack", list(sources), each, seed, workers, backend)
        findings = audit_findings(out / "audit.json", pack, sources, workers, backend)
        summary, figures = roll(_plan(pack, seed, backend), out, workers, held)
        exported = write_export(out, pack, out / "export")
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        print_json({**run_json(pack, figures, exported), "audit": findings["audit"], "audit_failures": findings["failures"], "seconds": seconds})
    else:
        print_made(pack, each)
        print_run(out, pack, findings, figures, exported)
        print_line(f"\n{seconds} s.")
    refuse_empty(pack)
    complain(summary, out)
    if findings["failures"] or figures.verdicts:
        invalid = sum(figures.verdicts.values())
        raise Failed(f"{counted(findings['failures'], 'finding')} of the quick audit and {invalid} trajectories that are not valid in {out}")


def refuse_changed(out: Path, digests: Mapping[str, str]) -> None:
    """BadInput where a blueprint is no longer the one that the run in this folder was made from."""
    earlier = _earlier(out / "run.json").get("sources", {})
    changed = [name for name, digest in digests.items() if earlier.get(name, digest) != digest]
    if changed:
        raise BadInput(f"{changed[0]} changed since this run was made; give another --out")


def _plan(pack: Pack, seed: int, backend: BackendName | None) -> Plan:
    from agents.agent import SCRIPTED, scripted
    from agents.rollout import Plan

    return Plan(pack, tuple(scripted(name) for name in SCRIPTED), seed=seed, backend=backend)


def grown_pack(folder: Path, sources: Sequence[str], each: int, seed: int, workers: int, backend: BackendName | None) -> Pack:
    """The pack that is there from an earlier attempt, or a new one."""
    from synthtools.pack import load_pack

    return load_pack(folder) if folder.is_dir() else make_pack(folder, sources, each, seed, workers, backend)


def audit_findings(path: Path, pack: Pack, sources: Mapping[str, Domain], workers: int, backend: BackendName | None = None) -> dict[str, Any]:
    """The quick audit of the pack's domains, from the file of an earlier attempt where there is one of this pack."""
    from synthtools.load import source_file
    from synthtools.replacing import replacing

    earlier = _earlier(path)
    if (earlier.get("pack"), earlier.get("audit")) == (pack.digest, "quick"):
        return earlier
    places = {domain.name: tool_places(domain, source_file(name)) for name, domain in sources.items()}
    reports = audit_all(list(pack.domains.values()), workers, thorough=False, backend=backend)
    made = {**audit_json(reports, places), "pack": pack.digest, "audit": "quick"}
    with replacing(path) as file:
        file.write(orjson.dumps(made, option=orjson.OPT_INDENT_2))
    return made


def _earlier(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def run_json(pack: Pack, figures: Results, exported: Exported) -> dict[str, Any]:
    """The keys that scripts rely on."""
    return {
        "fields": len({domain.field for domain in pack.domains.values()}),
        "domains": len(pack.domains),
        "tools": sum(len(domain.tools) for domain in pack.domains.values()),
        "tasks": len(pack.tasks),
        "tasks_dropped": dropped(pack),
        **results_json(figures),
        "exported": exported.rows,
        "files": dict(exported.files),
    }


def print_run(out: Path, pack: Pack, audit: dict[str, Any], figures: Results, exported: Exported) -> None:
    """The summary for people, as a few paragraphs."""
    print_line("")
    print_part("Audit", audit_words(out, audit))
    print_findings(audit["findings"])
    print_line("")
    print_agents(figures)
    print_line("")
    valid = f"{figures.valid:,} of them valid" if figures.verdicts else "all of them valid"
    print_part("Episodes", f"{figures.trajectories:,}, {valid}: played again in a fresh world, every result came out equal.")
    print_part("Dataset", f"{counted(exported.rows, 'conversation')} of the train split in {out / 'export'}: {', '.join(exported.files)}.")
    if not pack.tasks:
        return
    print_line("\nWhat next")
    print_line(f"  read a task      {program()} tasks {out} --show {pack.tasks[0].id}")
    print_line(f"  see all kinds    {program()} tasks {out}")
    print_line(f"  let a model try  {program()} rollout {out} --agent chat.yaml --out {out}-model")


def audit_words(out: Path, audit: dict[str, Any]) -> str:
    """What the quick audit came to, and which command audits wholly."""
    unreached = audit["errors_documented"] - audit["errors_reached"]
    found = counted(len(audit["findings"]), "finding") if audit["findings"] else "Nothing falls short"
    rest = f", which did not come to {unreached} of the {audit['errors_documented']:,} documented errors" if unreached else ""
    return (
        f"{found} in {audit['calls']:,} calls of {counted(audit['tools'], 'tool')}. "
        f"This was a quick audit{rest}; `{program()} audit {out}` is the whole one."
    )
