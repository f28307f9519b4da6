"""`synthtools rollout`: agents act in the tasks of a pack; what they did is validated and kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import Backend, BadInput, Failed, Json, Out, Seed, Workers, counted, make_folder, print_json, progress, worker_count
from agents.cli.results import print_results, results_json

if TYPE_CHECKING:
    from agents.rollout import Plan, Summary
    from agents.summary import Results

MANIFEST = "manifest.json"
"""The file that makes a folder a pack."""
PackFolder = Annotated[Path, typer.Argument(help="The folder that `synthtools generate` wrote, or the `pack` folder of a run.")]


def rollout(
    pack: PackFolder,
    out: Out,
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", help="solution, random, finish, refuse, impossible, echo; a chat model's settings (.yaml); or module:maker."),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Episodes of each agent at each task.")] = 1,
    seed: Seed = 0,
    workers: Workers = 0,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Roll out agents over a pack; the same command goes on with a run that was stopped."""
    from agents.agent import SCRIPTED
    from agents.cli.maker import make_maker
    from agents.rollout import Plan
    from synthtools.pack import load_pack

    makers = tuple(make_maker(spec, worker_count(workers)) for spec in agent or SCRIPTED)
    summary, figures = roll(Plan(load_pack(adopt_pack(pack, out)), makers, trials, seed, backend=backend), out, workers)
    if as_json:
        print_json({**results_json(figures), "before": summary.before, "added": summary.added, "skipped": summary.skipped})
    else:
        print_results(figures)
    complain(summary, out)


def roll(plan: Plan, out: Path, workers: int) -> tuple[Summary, Results]:
    """Roll out with a bar on stderr, and count."""
    from agents.rollout import rollout as roll_out
    from agents.run import Stored
    from agents.summary import results

    with progress("rollouts") as update:
        summary = roll_out(plan, out, workers=worker_count(workers), progress=update)
    with Stored(out) as run:
        return summary, results(run)


def complain(summary: Summary, out: Path) -> None:
    """Fail when episodes were lost or not begun, and say what was most often the reason."""
    from agents.rollout import GIVE_UP
    from agents.run import Stored

    if summary.failures:
        with Stored(out) as run:
            reason, times = run.lost_most_by()
        lost = f"{counted(summary.failures, 'episode')} broke off and left no trajectory, {times:,} of them by {reason}"
        rest = f"; {counted(summary.unbegun, 'episode')} not begun after {GIVE_UP} such in a row" if summary.unbegun else ""
        raise Failed(f"{lost}{rest}; the same command goes on from here once that is mended")
    if summary.skipped:
        raise Failed(f"the budget is spent: {summary.skipped} episodes were not begun; the same command with more goes on from here")


def adopt_pack(pack: Path, out: Path) -> Path:
    """The run folder's own copy of the pack, made whole or not at all; BadInput when it has one of another pack."""
    source = pack if (pack / MANIFEST).is_file() else pack / "pack"
    own = out / "pack"
    if not (source / MANIFEST).is_file():
        raise BadInput(f"{pack}: no pack here; write one with `synthtools generate --out {pack}`")
    if (own / MANIFEST).is_file():
        if (own / MANIFEST).read_bytes() != (source / MANIFEST).read_bytes():
            raise BadInput(f"{out}: this run was made with another pack than {pack}; give that one to go on with it, or another --out")
        return own
    make_folder(out)
    part = out / f".pack.{os.getpid()}"
    try:
        for file in (path for path in source.rglob("*") if path.is_file()):
            target = part / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        part.rename(own)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return own
