"""`synthtools generate`: a pack of proven tasks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import BadInput, Failed, Json, Out, Seed, Trust, Workers, print_json, print_line, progress, worker_count
from agents.cli.tasks import dropped, print_pack

if TYPE_CHECKING:
    from synthtools.generate import GeneratedPack
    from synthtools.pack import Pack

TasksPerDomain = Annotated[int | None, typer.Option("--tasks-per-domain", min=1, help="Proven tasks of each domain; a good default if not given.")]


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Subdomains of the catalogue, or blueprint files of your own, or one toolkit's file; the whole catalogue if none."),
]
TaskFile = Annotated[
    Path | None, typer.Option("--tasks", exists=True, dir_okay=False, help="A toolkit's tasks; tasks.yaml beside it if not given.")
]


def generate(
    out: Out,
    names: Names = None,
    seed: Seed = 0,
    tasks_per_domain: TasksPerDomain = None,
    workers: Workers = 0,
    tasks: TaskFile = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Generate tasks by execution, prove each, and write them with their domains as a pack."""
    from synthtools.load import is_toolkit

    if out.exists() and any(out.iterdir()):
        raise BadInput(f"{out}: is not empty; give a new folder as --out")
    if names and any(map(is_toolkit, names)):
        pack = toolkit_pack(out, names, tasks, seed, trust=trust)
    else:
        pack = make_pack(out, names or [], tasks_per_domain, seed, workers)
    if as_json:
        print_json({"out": str(out), "domains": len(pack.domains), "tasks": len(pack.tasks), "tasks_dropped": dropped(pack)})
        return
    print_pack(pack)
    print_line(f"Wrote {out}.  Next: synthtools rollout {out} --out runs/first")


def toolkit_pack(out: Path, names: list[str], tasks: Path | None, seed: int, *, trust: bool) -> Pack:
    """Prove the tasks written for a toolkit, and write them with its files as a pack; a line on stderr for each that a gate turns away."""
    from synthtools.generate import GeneratedPack
    from synthtools.load import load_domain
    from synthtools.toolkit.collect import proven_tasks, tasks_beside

    if len(names) != 1:
        raise BadInput(f"{names[0]}: give one toolkit, and nothing else with it")
    domain = load_domain(names[0], trust=trust)
    proven = proven_tasks(tasks, domain) if tasks is not None else tasks_beside(names[0], domain)
    dropped: dict[str, dict[str, int]] = {}
    for name, gate in proven.dropped.items():
        typer.echo(f"{domain.name}/{name}: turned away by {gate}", err=True)
        kinds = dropped.setdefault(gate, {})
        kinds[proven.kinds[name]] = kinds.get(proven.kinds[name], 0) + 1
    if not proven.tasks:
        raise Failed(f"{tasks or names[0]}: no task passes its gates")
    return _written(out, GeneratedPack({domain.name: domain}, proven.tasks, dropped, {}), seed)


def make_pack(out: Path, names: list[str], tasks_per_domain: int | None, seed: int, workers: int) -> Pack:
    """Generate and write a pack: the folder is there whole, or not at all. Its tasks are as they would be read from there."""
    from synthtools.catalog import catalog
    from synthtools.generate import TASKS_PER_DOMAIN, generate_pack

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
    return _written(out, made, seed)


def _written(out: Path, made: GeneratedPack, seed: int) -> Pack:
    """Write a pack under another name, then give it its own; gives it as it would be read back."""
    from synthtools.codec import task_from_json, task_to_json
    from synthtools.pack import save_pack

    part = out.parent / f".{out.name}.{os.getpid()}"
    pack = save_pack(part, made.domains, made.tasks, dropped=made.dropped, seed=seed)
    if out.is_dir():
        out.rmdir()
    part.rename(out)
    return replace(pack, tasks=tuple(task_from_json(task_to_json(task)) for task in pack.tasks))
