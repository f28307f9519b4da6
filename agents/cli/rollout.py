"""`synthtools rollout`: agents act in the tasks of a pack; what they did is validated and kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import Backend, BadInput, Failed, Json, Out, Seed, Trust, Workers, print_json, progress, worker_count
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
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Roll out agents over a pack; the same command goes on with a run that was stopped."""
    from agents.agent import SCRIPTED
    from agents.cli.maker import make_maker
    from agents.rollout import Plan
    from synthtools.pack import load_pack

    makers = tuple(make_maker(spec, worker_count(workers)) for spec in agent or SCRIPTED)
    summary, figures = roll(Plan(load_pack(adopt_pack(pack, out), trust=trust), makers, trials, seed, backend=backend), out, workers)
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
    """Fail when episodes were lost or not begun."""
    if summary.failures:
        raise Failed(
            f"{summary.failures} episodes failed on our side and have no trajectory; table `failure` of {out / 'run.db'} says why, "
            "and the same command tries them again"
        )
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
    out.mkdir(parents=True, exist_ok=True)
    part = out / f".pack.{os.getpid()}"
    shutil.copytree(source, part)
    part.rename(own)
    return own
