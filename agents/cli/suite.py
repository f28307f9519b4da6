"""`synthtools suite`: which suites there are, what one holds, and a new version of one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.output import Json, Workers, counted, print_json, print_line, print_part, print_table, progress, worker_count

if TYPE_CHECKING:
    from agents.bench.suite import Definition, Suite

suite = typer.Typer(help="Frozen sets of held-out tasks, for `synthtools bench`.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="core, hard or smoke; or a suite's file (.yaml).")]


@suite.command("list")
def list_suites(as_json: Json = False) -> None:
    """What suites there are, and what each measures."""
    from agents.bench.suite import read_suite, suites

    found = [read_suite(path) for path in suites().values()]
    if as_json:
        print_json({"suites": [summary(definition) for definition in found]})
        return
    for definition in found:
        what = f"{definition.tasks} tasks, version {definition.version}, of the {' or '.join(definition.splits)} split"
        print_part(definition.name, f"{what}. {definition.about}")


@suite.command("show")
def show(
    name: Name,
    split: Annotated[str, typer.Option("--split", help="Which variant.")] = "test",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Make or load a suite's tasks, check their digest, and count them."""
    from agents.bench.suite import load_suite, read_suite, suite_file

    definition = read_suite(suite_file(name))
    with progress("suite") as update:
        loaded = load_suite(name, split, workers=worker_count(workers), progress=update)
    if as_json:
        print_json({**summary(definition), "split": split, **counts(loaded)})
        return
    print_part(definition.name, f"version {definition.version}, {counted(len(loaded.tasks), 'task')} of the {split} split. {definition.about}")
    print_part("Digest", loaded.label.digest)
    for key, groups in counts(loaded).items():
        print_table(f"Tasks {key.replace('_', ' ')}", (key.removeprefix("by_"), "tasks"), list(groups.items()))


@suite.command("build")
def build(
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="Where its file is written; in its place if not given.")] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Make a suite's tasks with the code of now; where they are others than before, write a new version of its file."""
    from agents.bench.suite import make_suite, read_suite, rebuilt, suite_file, write_suite

    path = suite_file(name)
    definition = read_suite(path)
    made: dict[str, Suite] = {}
    for split in definition.splits:
        with progress(f"suite, {split}") as update:
            made[split] = make_suite(definition, split, workers=worker_count(workers), progress=update)
    fresh, text = rebuilt(path, made)
    changed = fresh != definition
    if changed or out is not None:
        write_suite(out or path, text)
    if as_json:
        print_json({**summary(fresh), "changed": changed, "file": str(out or path)})
    else:
        print_line(f"{fresh.name} {fresh.version}: {'written to ' + str(out or path) if changed or out else 'nothing has changed'}")


def summary(definition: Definition) -> dict[str, Any]:
    """The keys that scripts rely on."""
    return {
        "name": definition.name,
        "version": definition.version,
        "about": definition.about,
        "canary": definition.canary,
        "tasks": definition.tasks,
        "splits": {split: {"domains": list(variant.domains), "digest": variant.digest} for split, variant in definition.splits.items()},
    }


def counts(suite: Suite) -> dict[str, dict[str, int]]:
    """Tasks by kind, difficulty and domain."""
    every = {
        "by_kind": Counter(task.kind for task in suite.tasks),
        "by_difficulty": Counter(str(task.difficulty) for task in suite.tasks),
        "by_domain": Counter(task.domain for task in suite.tasks),
    }
    return {key: {name: groups[name] for name in sorted(groups, key=lambda name: (name.isdigit(), name.zfill(2)))} for key, groups in every.items()}
