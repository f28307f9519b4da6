"""`synthtools generate`: a pack of proven tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import BadInput, Json, Out, Seed, Workers, print_json, print_line, progress, worker_count
from agents.cli.tasks import print_pack

if TYPE_CHECKING:
    from synthtools.pack import Pack

TasksPerDomain = Annotated[int | None, typer.Option("--tasks-per-domain", min=1, help="Proven tasks of each domain; a good default if not given.")]


def generate(
    out: Out,
    names: Annotated[list[str] | None, typer.Argument(help="Subdomains of the catalogue, or blueprint files; the whole catalogue if none.")] = None,
    seed: Seed = 0,
    tasks_per_domain: TasksPerDomain = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Generate tasks by execution, prove each, and write them with their domains as a pack."""
    if out.exists() and any(out.iterdir()):
        raise BadInput(f"{out}: is not empty; give a new folder as --out")
    pack = make_pack(out, names or [], tasks_per_domain, seed, workers)
    if as_json:
        print_json({"out": str(out), "domains": len(pack.domains), "tasks": len(pack.tasks), "tasks_dropped": dropped(pack)})
        return
    print_pack(pack)
    print_line(f"Wrote {out}.  Next: synthtools rollout {out} --out runs/first")
