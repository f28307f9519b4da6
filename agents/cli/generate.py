"""`synthtools generate`: a pack of proven tasks."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import (
    Backend,
    BadInput,
    Failed,
    Json,
    Out,
    Seed,
    Trust,
    Workers,
    make_folder,
    print_json,
    print_line,
    program,
    progress,
    worker_count,
)
from agents.cli.reasons import gate_words
from agents.cli.tasks import dropped, print_made

if TYPE_CHECKING:
    from synthtools.backends import BackendName
    from synthtools.domain import Domain
    from synthtools.generate import GeneratedPack
    from synthtools.pack import Pack

TasksPerDomain = Annotated[int | None, typer.Option("--tasks-per-domain", min=1, help="Proven tasks of each domain; a good default if not given.")]


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Subdomains of the catalogue, or blueprint files of your own, or one toolkit's file; the whole catalogue if none."),
]
TaskFile = Annotated[Path | None, typer.Option("--tasks", exists=True, dir_okay=False, help="A toolkit's tasks; tasks.yaml beside it if not given.")]


def generate(
    out: Out,
    names: Names = None,
    seed: Seed = 0,
    tasks_per_domain: TasksPerDomain = None,
    workers: Workers = 0,
    backend: Backend = None,
    tasks: TaskFile = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Generate tasks by execution, prove each, and write them with their domains as a pack."""
    from synthtools.backends import refuse_no_engine
    from synthtools.generate import TASKS_PER_DOMAIN
    from synthtools.load import is_toolkit

    own = bool(names) and any(map(is_toolkit, names or ()))
    sources = {} if own else sources_of(names)
    if out.is_dir() and any(out.iterdir()):
        raise BadInput(f"{out}: is not empty; give a new folder as --out")
    if own:
        made = toolkit_tasks(list(names or ()), tasks, trust=trust, backend=backend)
        make_folder(out)
        pack = _written(out, made, seed)
    else:
        refuse_no_engine(sources.values(), backend)
        make_folder(out)
        pack = make_pack(out, list(sources), tasks_per_domain, seed, workers, backend)
    if as_json:
        print_json({"out": str(out), "domains": len(pack.domains), "tasks": len(pack.tasks), "tasks_dropped": dropped(pack)})
    else:
        print_made(pack, tasks_per_domain or TASKS_PER_DOMAIN)
        print_line(f"\nWrote {out}.  Next: {program()} rollout {out}{' --trust' if trust else ''} --out runs/first")
    refuse_empty(pack)


def toolkit_tasks(names: list[str], tasks: Path | None, *, trust: bool, backend: BackendName | None = None) -> GeneratedPack:
    """The proven tasks written for a toolkit; a line on stderr for each that a gate turns away."""
    from synthtools.generate import GeneratedPack
    from synthtools.load import load_domain
    from synthtools.toolkit.collect import proven_tasks, written_beside

    if len(names) != 1:
        raise BadInput(f"{names[0]}: give one toolkit, and nothing else with it")
    domain = load_domain(names[0], trust=trust)
    proven = proven_tasks(tasks, domain, backend) if tasks is not None else written_beside(names[0], domain, backend)
    dropped: dict[str, dict[str, int]] = {}
    for name, gate in proven.dropped.items():
        typer.echo(f"{domain.name}/{name}: turned away by {gate}: {proven.why.get(name) or gate_words(gate)}", err=True)
        kinds = dropped.setdefault(gate, {})
        kinds[proven.kinds[name]] = kinds.get(proven.kinds[name], 0) + 1
    if not proven.tasks:
        raise Failed(f"{tasks or names[0]}: no task passes its gates")
    return GeneratedPack({domain.name: domain}, proven.tasks, dropped, {})


def refuse_empty(pack: Pack) -> None:
    """Failed where no task at all was proven."""
    if not pack.tasks:
        raise Failed("no task could be proven; ask for more with --tasks-per-domain, in a new folder")


def sources_of(names: Sequence[str] | None) -> dict[str, Domain]:
    """Name or file → its domain, all of them loaded; UnknownDomain, BlueprintError or BadInput where one cannot be taken."""
    from synthtools.catalog import catalog
    from synthtools.load import load_domain

    sources: dict[str, Domain] = {}
    for name in names or catalog():
        domain = load_domain(name)
        if domain.name in (other.name for other in sources.values()):
            raise BadInput(f"{name}: a second source of {domain.name}; give each subdomain once")
        sources[name] = domain
    return sources


def make_pack(  # noqa: PLR0913 - what `generate` and `run` both take
    out: Path, sources: Sequence[str], tasks_per_domain: int | None, seed: int, workers: int, backend: BackendName | None = None
) -> Pack:
    """Generate and write a pack: the folder is there whole, or not at all. Its tasks are as they would be read from there."""
    from synthtools.generate import TASKS_PER_DOMAIN, generate_pack

    each = tasks_per_domain or TASKS_PER_DOMAIN
    with progress("domains") as update:  # and not tasks: how many a domain gives is known when it has given them
        done = 0

        def tell(_domain: str, _tasks: int) -> None:
            nonlocal done
            done += 1
            update(done, len(sources))

        update(0, len(sources))
        made = generate_pack(sources, each, seed=seed, workers=worker_count(workers), backend=backend, progress=tell)
    return _written(out, made, seed)


def _written(out: Path, made: GeneratedPack, seed: int) -> Pack:
    """Write a pack under another name, then give it its own; gives it as it would be read back."""
    from synthtools.codec import task_from_json, task_to_json
    from synthtools.pack import save_pack
    from synthtools.replacing import new_part

    part = new_part(out)
    try:
        pack = save_pack(part, made.domains, made.tasks, dropped=made.dropped, seed=seed)
        put(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return replace(pack, tasks=tuple(task_from_json(task_to_json(task)) for task in pack.tasks))


def put(part: Path, out: Path) -> None:
    """Give a finished folder its name; BadInput where something has come there meanwhile."""
    try:
        part.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise BadInput(f"{out}: another process has made it meanwhile; give a new folder as --out") from None
