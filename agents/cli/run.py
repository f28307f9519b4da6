"""`synthtools run`: the whole way from the catalogue to a dataset."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agents.cli.audit import audit_all, audit_json, print_findings
from agents.cli.export import write_export
from agents.cli.generate import Names, TasksPerDomain, make_pack, sources_of
from agents.cli.output import Backend, BadInput, Failed, Json, Out, Seed, Workers, make_folder, print_json, print_line, program
from agents.cli.results import print_results, results_json
from agents.cli.rollout import complain, roll
from agents.cli.tasks import dropped, print_pack

if TYPE_CHECKING:
    from agents.dataset import Exported
    from agents.summary import Results
    from synthtools.backends import BackendName
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
    """Generate tasks from the catalogue, audit its tools, roll out six agents, validate, export, and sum up.

    Killed at any moment, the same command goes on where it was.
    """
    from agents.agent import SCRIPTED, scripted
    from agents.rollout import Plan
    from agents.run import claim
    from synthtools.generate import TASKS_PER_DOMAIN
    from synthtools.pack import load_pack

    begun = time.monotonic()
    each = tasks_per_domain or TASKS_PER_DOMAIN
    sources = sources_of(names)
    digests = {name: domain.digest for name, domain in sources.items()}
    make_folder(out)
    refuse_changed(out, digests)
    claim(out, {"seed": seed, "tasks_per_domain": each, "names": names or [], "sources": digests})
    pack = load_pack(out / "pack") if (out / "pack").is_dir() else make_pack(out / "pack", list(sources), each, seed, workers)
    findings = audit_findings(out / "audit.json", pack, workers, backend)
    summary, figures = roll(Plan(pack, tuple(scripted(name) for name in SCRIPTED), seed=seed, backend=backend), out, workers)
    exported = write_export(out, pack, out / "export")
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        print_json({**run_json(pack, figures, exported), "audit_failures": findings["failures"], "seconds": seconds})
    else:
        print_run(out, pack, findings, figures, exported)
        print_line(f"{seconds} s.")
    complain(summary, out)
    if findings["failures"] or figures.verdicts:
        raise Failed(f"{findings['failures']} findings of the audit and {sum(figures.verdicts.values())} invalid trajectories in {out}")


def refuse_changed(out: Path, digests: Mapping[str, str]) -> None:
    """BadInput where a blueprint is no longer the one that the run in this folder was made from."""
    path = out / "run.json"
    earlier = orjson.loads(path.read_bytes()).get("sources", {}) if path.is_file() else {}
    changed = [name for name, digest in digests.items() if earlier.get(name, digest) != digest]
    if changed:
        raise BadInput(f"{changed[0]} changed since this run was made; give another --out")


def audit_findings(path: Path, pack: Pack, workers: int, backend: BackendName | None = None) -> dict[str, Any]:
    """The audit of the pack's domains, from the file of an earlier attempt where there is one."""
    from synthtools.replacing import replacing

    if path.is_file():
        earlier: dict[str, Any] = orjson.loads(path.read_bytes())
        return earlier
    made = audit_json(audit_all(list(pack.domains.values()), workers, thorough=False, backend=backend))
    with replacing(path) as file:
        file.write(orjson.dumps(made, option=orjson.OPT_INDENT_2))
    return made


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
    """The summary for people."""
    print_pack(pack)
    print_line(
        f"\nAudit: {audit['calls']:,} calls of {audit['tools']} tools; "
        f"{audit['errors_reached']} of {audit['errors_documented']} documented errors reached."
    )
    print_findings(audit["findings"])
    print_line("")
    print_results(figures)
    print_line(f"\n{exported.rows:,} conversations of the train split in {out / 'export'}: {', '.join(exported.files)}.")
    print_line(f"Read a task: synthtools tasks {out / 'pack'} --show {pack.tasks[0].id}")
