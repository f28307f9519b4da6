"""`synthtools generate`: a pack of proven tasks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import BadInput, Json, Out, Seed, Workers, print_json, print_line, progress, worker_count
from agents.cli.tasks import dropped, print_pack

if TYPE_CHECKING:
    from synthtools.pack import Pack

TasksPerDomain = Annotated[int | None, typer.Option("--tasks-per-domain", min=1, help="Proven tasks of each domain; a good default if not given.")]


Names = Annotated[list[str] | None, typer.Argument(help="Subdomains of the catalogue, or blueprint files of your own; the whole catalogue if none.")]


def generate(
    out: Out,
    names: Names = None,
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


def make_pack(out: Path, names: list[str], tasks_per_domain: int | None, seed: int, workers: int) -> Pack:
    """Generate and write a pack: the folder is there whole, or not at all. Its tasks are as they would be read from there."""
    from synthtools.catalog import catalog
    from synthtools.codec import task_from_json, task_to_json
    from synthtools.generate import TASKS_PER_DOMAIN, generate_pack
    from synthtools.pack import save_pack
    from synthtools.replacing import new_part

    sources = names or list(catalog())
    strangers = [name for name in sources if name not in catalog() and not Path(name).is_file()]
    if strangers:
        raise BadInput(f"{strangers[0]}: is no subdomain of the catalogue (`synthtools catalog` lists them) and no file")
    each = tasks_per_domain or TASKS_PER_DOMAIN
    with progress("tasks") as update:
        told = 0

        def tell(domain: str, made: int) -> None:
            nonlocal told
            told += each
            update(told, each * len(sources))

        update(0, each * len(sources))
        made = generate_pack(sources, each, seed=seed, workers=worker_count(workers), progress=tell)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = new_part(out)
    try:
        pack = save_pack(part, made.domains, made.tasks, dropped=made.dropped, seed=seed)
        part.rename(out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); another process may have made it meanwhile: give a new folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return replace(pack, tasks=tuple(task_from_json(task_to_json(task)) for task in pack.tasks))
