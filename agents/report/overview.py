"""The figures of one run or two, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from agents.bench.causes import CAUSES
from agents.bench.comparison import compare
from agents.bench.grade import Episode, Graded, counted, grade_json
from agents.bench.metrics import as_data

Names = Sequence[Mapping[str, str]]
"""For each run: the agent as its grade names it → as the report does."""


def names_in(folders: Sequence[Path], runs: Sequence[Graded]) -> Names:
    """Agents' names, with that of their run where two runs have one of the same name."""
    every = [name for run in runs for name in run.agents]
    twice = {name for name in every if every.count(name) > 1}
    return [{name: f"{name} ({tag})" if name in twice else name for name in run.agents} for tag, run in zip(tags_of(folders), runs, strict=True)]


def tags_of(folders: Sequence[Path]) -> list[str]:
    """Short names of runs, no two alike."""
    tags = [folder.resolve().name for folder in folders]
    return tags if len(set(tags)) == len(tags) else [str(folder) for folder in folders]


def overview(folders: Sequence[Path], runs: Sequence[Graded], names: Names) -> dict[str, Any]:
    """What the suite is, each agent's grade, what models in the users' part took, and every two agents at the tasks of both."""
    label = runs[0].label
    played = [(names[number][agent], run.of(agent)) for number, run in enumerate(runs) for agent in run.agents]
    grades = {names[number][agent]: {**grade_json(run, agent), "trials": run.trials} for number, run in enumerate(runs) for agent in run.agents}
    return {
        "suite": {"name": label.name, "version": label.version, "digest": label.digest, "split": label.split, "tasks": len(runs[0].tasks)},
        "trials": max(run.trials for run in runs),
        "users": [{"run": tag, **run.user_json()["user"]} for tag, run in zip(tags_of(folders), runs, strict=True) if run.user],
        "agents": grades,
        "compared": [_compared(before, after) for before, after in combinations(played, 2)],
        "causes": dict(CAUSES),
    }


def _compared(before: tuple[str, Sequence[Episode]], after: tuple[str, Sequence[Episode]]) -> dict[str, Any]:
    found = compare(counted(before[1]), counted(after[1]))
    return {"before": before[0], "after": after[0], "difference": as_data(found.difference), "p": found.p}
