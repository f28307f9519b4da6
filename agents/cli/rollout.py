"""`synthtools rollout`: agents act in the tasks of a pack; what they did is validated and kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

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
    counted,
    make_folder,
    print_json,
    progress,
    worker_count,
)
from agents.cli.results import print_results, results_json

if TYPE_CHECKING:
    from agents.rollout import Plan, Summary
    from agents.summary import Results
    from synthtools.pack import Pack

MANIFEST = "manifest.json"
"""The file that makes a folder a pack."""
Agents = Annotated[
    list[str] | None,
    typer.Option(
        "--agent",
        help="solution, random, finish, refuse, impossible, echo, rule; settings (.yaml); a model's folder; "
        "cmd:COMMAND, mcp:COMMAND; module:maker or module:Class. Repeat it.",
    ),
]
UserFile = Annotated[
    Path | None, typer.Option("--user", dir_okay=False, help="Settings (.yaml) of a chat model that plays the tasks' users, audited.")
]
PackFolder = Annotated[Path, typer.Argument(help="The folder that `synthtools generate` wrote, or the `pack` folder of a run.")]


def rollout(
    pack: PackFolder,
    out: Out,
    agent: Agents = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Episodes of each agent at each task.")] = 1,
    seed: Seed = 0,
    workers: Workers = 0,
    user: UserFile = None,
    backend: Backend = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Roll out agents over a pack; the same command goes on with a run that was stopped."""
    from agents.agent import SCRIPTED
    from agents.cli.maker import is_local, make_maker, model_users
    from agents.lock import lock
    from agents.rollout import Plan
    from synthtools.backends import refuse_no_engine
    from synthtools.pack import load_pack

    makers, users = tuple(make_maker(spec) for spec in agent or SCRIPTED), model_users(user)
    if not workers and any(is_local(spec) for spec in agent or ()):
        workers = 1
    source = find_pack(pack)
    refuse_no_engine(load_pack(source, tasks=False, trust=trust).domains.values(), backend)
    make_folder(out)
    with lock(out) as held:
        plan = Plan(adopt_pack(source, out, trust=trust), makers, trials, seed, backend=backend, users=users)
        summary, figures = roll(plan, out, workers, held)
    if as_json:
        print_json({**results_json(figures), "before": summary.before, "added": summary.added, "skipped": summary.skipped})
    else:
        print_results(figures)
    complain(summary, out)


def roll(plan: Plan, out: Path, workers: int, held: IO[bytes]) -> tuple[Summary, Results]:
    """Roll out with a bar on stderr in a folder whose lock is held, and count."""
    from agents.rollout import rollout as roll_out
    from agents.stored import Stored
    from agents.summary import results

    with progress("rollouts") as update:
        summary = roll_out(plan, out, workers=worker_count(workers), progress=update, held=held)
    with Stored(out) as run:
        return summary, results(run)


def complain(summary: Summary, out: Path) -> None:
    """Fail when episodes were lost or not begun, and say what was most often the reason."""
    from agents.player import GIVE_UP
    from agents.stored import Stored

    if summary.failures:
        with Stored(out) as run:
            reason, times = run.lost_most_by()
        lost = f"{counted(summary.failures, 'episode')} broke off and left no trajectory, {times:,} of them by {reason}"
        rest = f"; {counted(summary.unbegun, 'episode')} not begun after {GIVE_UP} such in a row" if summary.unbegun else ""
        raise Failed(f"{lost}{rest}; the same command goes on from here once that is mended")
    if summary.skipped:
        left = counted(summary.skipped, "episode")
        raise Failed(f"the budget is spent: {left} not begun, or given up halfway; the same command with more goes on from here")


def find_pack(pack: Path) -> Path:
    """The folder with the manifest; BadInput where there is none."""
    source = pack if (pack / MANIFEST).is_file() else pack / "pack"
    if pack.is_file():
        raise BadInput(f"{pack}: is a file, and a pack is a folder; give the one that `synthtools generate --out` wrote")
    if not (source / MANIFEST).is_file():
        raise BadInput(f"{pack}: no pack here; write one with `synthtools generate --out {pack}`")
    return source


def adopt_pack(source: Path, out: Path, *, trust: bool = False) -> Pack:
    """The pack, of which the run folder (whose lock is held) gets its own copy, whole or not at all; BadInput when it has one of another."""
    from synthtools.pack import load_pack
    from synthtools.replacing import new_part

    own = out / "pack"
    if (own / MANIFEST).is_file():
        if (own / MANIFEST).read_bytes() != (source / MANIFEST).read_bytes():
            raise BadInput(f"{out}: this run was made with another pack than {source}; give that one to go on with it, or another --out")
        return load_pack(own, trust=trust)
    pack = load_pack(source, trust=trust)
    part = new_part(own)
    try:
        for file in (path for path in source.rglob("*") if path.is_file()):
            target = part / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        part.rename(own)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return pack
