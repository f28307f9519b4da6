"""`synthtools run`: the whole way from the catalogue to a dataset."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agents.cli.audit import audit_all, audit_json, print_findings
from agents.cli.export import write_export
from agents.cli.generate import Names, TasksPerDomain, make_pack
from agents.cli.output import Backend, Failed, Json, Out, Seed, Workers, print_json, print_line
from agents.cli.results import print_results, results_json
from agents.cli.rollout import complain, roll
from agents.cli.tasks import dropped, print_pack

if TYPE_CHECKING:
    from agents.dataset import Exported
    from agents.rollout import Plan
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
    from agents.run import claim
    from synthtools.generate import TASKS_PER_DOMAIN

    begun = time.monotonic()
    each = tasks_per_domain or TASKS_PER_DOMAIN
    with claim(out, {"seed": seed, "tasks_per_domain": each, "names": names or []}) as held:
        pack = grown_pack(out / "pack", names or [], each, seed, workers)
        findings = audit_findings(out / "audit.json", pack, workers, backend)
        summary, figures = roll(_plan(pack, seed, backend), out, workers, held)
        exported = write_export(out, pack, out / "export")
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        print_json({**run_json(pack, figures, exported), "audit": findings["audit"], "audit_failures": findings["failures"], "seconds": seconds})
    else:
        print_run(out, pack, findings, figures, exported)
        print_line(f"{seconds} s.")
    complain(summary, out)
    if findings["failures"] or figures.verdicts:
        raise Failed(f"{findings['failures']} findings of the quick audit and {sum(figures.verdicts.values())} invalid trajectories in {out}")


def _plan(pack: Pack, seed: int, backend: BackendName | None) -> Plan:
    from agents.agent import SCRIPTED, scripted
    from agents.rollout import Plan

    return Plan(pack, tuple(scripted(name) for name in SCRIPTED), seed=seed, backend=backend)


def grown_pack(folder: Path, names: list[str], each: int, seed: int, workers: int) -> Pack:
    """The pack that is there from an earlier attempt, or a new one."""
    from synthtools.pack import load_pack

    return load_pack(folder) if folder.is_dir() else make_pack(folder, names, each, seed, workers)


def audit_findings(path: Path, pack: Pack, workers: int, backend: BackendName | None = None) -> dict[str, Any]:
    """The quick audit of the pack's domains, from the file of an earlier attempt where there is one of this pack."""
    from synthtools.replacing import replacing

    earlier = _earlier(path)
    if (earlier.get("pack"), earlier.get("audit")) == (pack.digest, "quick"):
        return earlier
    made = {**audit_json(audit_all(list(pack.domains.values()), workers, thorough=False, backend=backend)), "pack": pack.digest, "audit": "quick"}
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
    """The summary for people."""
    print_pack(pack)
    print_line(
        f"\nQuick audit (`synthtools audit {out / 'pack'}` makes the whole one): {audit['calls']:,} calls of {audit['tools']} tools; "
        f"{audit['errors_reached']} of {audit['errors_documented']} documented errors reached."
    )
    print_findings(audit["findings"])
    print_line("")
    print_results(figures)
    print_line(f"\n{exported.rows:,} conversations of the train split in {out / 'export'}: {', '.join(exported.files)}.")
    print_line(f"Read a task: synthtools tasks {out / 'pack'} --show {pack.tasks[0].id}")
