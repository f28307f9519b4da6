"""`synthtools bench`: agents at a suite of held-out tasks, graded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agents.cli.grade import print_grade
from agents.cli.output import (
    Backend,
    BadInput,
    Json,
    Seed,
    Trust,
    Workers,
    make_folder,
    print_json,
    print_line,
    print_table,
    progress,
    worker_count,
)
from agents.cli.regrade import grade
from agents.cli.rollout import Agents, UserFile, complain, find_pack, roll

if TYPE_CHECKING:
    from agents.bench.suite import Suite
    from agents.model_user import ModelUsers
    from synthtools.pack import Pack

BASELINES = ("solution", "random", "finish", "rule")
"""The agents of a bench that names none."""
SuiteName = Annotated[str, typer.Option("--suite", help="core, hard, smoke; a suite's file (.yaml); or a pack or run folder.")]
Split = Annotated[Literal["train", "validation", "test", "all"], typer.Option("--split", help="A suite's variant; or which tasks of a pack.")]
Tokens = Annotated[int | None, typer.Option("--budget-tokens", min=1, help="What each agent may spend in all, in place of its settings.")]
Money = Annotated[float | None, typer.Option("--budget-money", min=0.0, help="The same in money, for agents whose settings have prices.")]


def bench(
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="The folder to write; only --dry-run does without.")] = None,
    agent: Agents = None,
    suite: SuiteName = "smoke",
    trials: Annotated[int, typer.Option("--trials", min=1, help="Episodes of each agent at each task.")] = 1,
    split: Split = "test",
    seed: Seed = 0,
    workers: Workers = 0,
    user: UserFile = None,
    backend: Backend = None,
    budget_tokens: Tokens = None,
    budget_money: Money = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and run nothing but the references.")] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Let agents work at a suite, and grade them; the same command goes on with a run that was stopped."""
    from agents.cli.maker import Bounds, is_local, make_maker, model_users
    from agents.rollout import Plan
    from agents.run import claim
    from synthtools.backends import refuse_no_engine

    if out is None and not dry_run:
        raise BadInput("no --out: give the folder to write, or --dry-run")
    makers, users = {spec: make_maker(spec, Bounds(budget_tokens, budget_money)) for spec in agent or BASELINES}, model_users(user)
    chosen = find_suite(suite, split, workers, trust=trust)
    if out is None or dry_run:
        print_estimate(chosen, trials, makers, users, as_json=as_json)
        return
    if not workers and any(map(is_local, makers)):
        workers = 1
    refuse_no_engine(chosen.domains.values(), backend)
    make_folder(out)
    with claim(out, {**chosen.label.settings(), "trials": trials, "seed": seed}) as held:
        plan = Plan(kept_pack(out / "pack", chosen, trust=trust), tuple(makers.values()), trials, seed, backend=backend, users=users)
        summary, _ = roll(plan, out, workers, held)
    data = grade(out, trust=trust)
    if as_json:
        print_json(data)
    else:
        print_grade(data)
    complain(summary, out)


def find_suite(name: str, split: str, workers: int, *, trust: bool = False) -> Suite:
    """The suite of this name or file, with progress where it has to be made; or the tasks of a pack."""
    from agents.bench.source import is_suite, load_packed
    from agents.bench.suite import load_suite, suites_there

    if is_suite(name):
        with progress("suite") as update:
            return load_suite(name, split, workers=worker_count(workers), progress=update)
    if not Path(name).is_dir():
        raise BadInput(f"--suite {name}: no such suite or folder; {suites_there(name)}, or give a file (.yaml), a pack or a run")
    find_pack(Path(name))
    return load_packed(Path(name), split, trust=trust)


def kept_pack(folder: Path, suite: Suite, *, trust: bool) -> Pack:
    """The run's own pack of the suite's tasks, written whole where it is not there yet."""
    from synthtools.pack import load_pack, save_pack
    from synthtools.replacing import new_part

    if not folder.is_dir():
        part = new_part(folder)
        try:
            save_pack(part, suite.domains, suite.tasks, dropped={}, seed=suite.seed)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return load_pack(folder, trust=trust)


def print_estimate(suite: Suite, trials: int, makers: Mapping[str, Any], users: ModelUsers | None, *, as_json: bool) -> None:
    """What the bench would take of each agent, and of a model in the users' part."""
    from agents.agent import SCRIPTED
    from agents.bench.estimate import CHARACTERS, estimate, of_user, work_of
    from envs.worlds import worlds_of

    work = work_of(suite.tasks, worlds_of(suite.tasks, suite.domains))
    taken = estimate(work, trials, makers, frozenset(SCRIPTED))
    user = {"user": of_user(work, trials, len(makers), users)} if users else {}
    rule = f"the reference's calls, one a turn, each with all that came before; {CHARACTERS} characters a token"
    if as_json:
        print_json({"suite": {**suite.label.settings(), "tasks": len(suite.tasks)}, "trials": trials, "agents": taken, **user, "rule": rule})
        return
    columns = ("agent", "episodes", "calls", "prompt tokens", "completion tokens", "money")
    rows = [[name, *("-" if value is None else value for value in one.values())] for name, one in taken.items()]
    rows += [["the user's model", "-", *("-" if value is None else value for value in one.values())] for one in user.values()]
    print_table(f"{suite.label.name}: what it would take", columns, rows)
    print_line(f"Estimated by {rule}.")
