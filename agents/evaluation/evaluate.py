"""The evaluator: which tasks, what is shown of them, and every agent at each, kept as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from agents.agent import Agent, Maker, Opening
from agents.choice import Choice, choose_tasks
from agents.episode import Crowd, begin, seed_of
from agents.evaluation.probe import Episode, Probed, probe_together
from agents.evaluation.score import Point
from agents.evaluation.solo import Solo
from agents.lesson import brief, choose
from agents.needs import Needs, needs_of_task
from agents.player import code_digest
from envs import ToolEnv
from envs.worlds import as_worlds
from synthtools.pack import Pack, versions
from synthtools.replacing import replacing
from synthtools.seed import derive
from synthtools.task import Task

Progress = Callable[[int, int], None]
MAX_STEPS = 20
"""Calls of an episode."""


class EvaluationError(ValueError):
    """An evaluation that cannot be done as asked; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class View:
    """What agents are shown of a task's tools."""

    tools: int = 0
    """The needed and distractors, so many in all; 0: all."""
    brief: bool = False
    """Whether schemas are cut as lessons cut them, the lists in them too."""


def openings(pack: Pack, tasks: Sequence[Task], view: View, seed: int) -> list[Opening]:
    """What agents are given of each task; the choice of tools is drawn by the seed, and tells nothing of how the task ends."""
    env = ToolEnv(as_worlds(pack))
    twins = {task.id: task for task in pack.tasks}
    made = []
    for task in tasks:
        opening = begin(task, env, seed_of(seed, task.id, "", 0))[1]
        made.append(_viewed(opening, needs_of_task(task, twins.get(task.twin)), view, seed))
    env.close()
    return made


def _viewed(opening: Opening, needs: Needs, view: View, seed: int) -> Opening:
    chance = np.random.Generator(np.random.PCG64(derive(seed, "view", opening.task) >> 11))
    tools = choose(opening.tools, needs, view.tools, chance) if view.tools else list(opening.tools)
    if view.brief:
        tools = [brief(tool, needs, chance) if view.tools else brief(tool) for tool in tools]
    return replace(opening, tools=tools)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is evaluated: tasks, and what is shown of them."""

    pack: Pack
    tasks: Sequence[Task]
    openings: Sequence[Opening]
    settings: Mapping[str, Any]
    """What results depend on, besides the agent."""


def prepare(pack: Pack, choice: Choice, view: View) -> Evaluation:
    """Choose tasks, and what is shown of them."""
    tasks = choose_tasks(pack, choice)
    made_by = {**versions(), "code": code_digest()}
    settings = {"pack": pack.digest, "choice": asdict(choice), "view": asdict(view), "max_steps": MAX_STEPS, "versions": made_by}
    return Evaluation(pack, tasks, openings(pack, tasks, view, choice.seed), settings)


def evaluate(evaluation: Evaluation, maker: Maker, out: Path | None = None, progress: Progress | None = None) -> list[Probed]:
    """An agent at every task, in their order; with `out`, what is there already is not done again. Raises EvaluationError for another's file."""
    agent = maker({task.id: task for task in evaluation.pack.tasks})
    crowd = agent if isinstance(agent, Crowd) else Solo(agent)
    kept = Kept(out, evaluation, agent) if out else None
    done = kept.read() if kept else {}

    def tell() -> None:
        if progress is not None:
            progress(len(done), len(evaluation.tasks))

    tell()
    worlds, left = as_worlds(evaluation.pack), _left(evaluation, done)
    envs = [ToolEnv(worlds, max_steps=MAX_STEPS) for _ in left[: crowd.batch]]
    for probed in probe_together(crowd, left, envs, tell):
        done[probed.task] = probed
        if kept:
            kept.add(probed)
        tell()
    for env in envs:
        env.close()
    return [done[task.id] for task in evaluation.tasks]


def _left(evaluation: Evaluation, done: Mapping[str, Probed]) -> list[tuple[Task, Opening]]:
    """What is left, the longest first, so that few are waited for at the end."""
    left = [pair for pair in zip(evaluation.tasks, evaluation.openings, strict=True) if pair[0].id not in done]
    return sorted(left, key=lambda pair: -len(pair[0].solution))


class Kept:
    """Results of one agent in a file, a line a task, the settings first."""

    def __init__(self, folder: Path, evaluation: Evaluation, agent: Agent) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        digest = derive(agent.identity) & 0xFFFFFFFF
        self.path = folder / f"{''.join(c if c.isalnum() or c in '-.' else '-' for c in agent.name)}-{digest:08x}.jsonl"
        self._head = orjson.dumps({"agent": agent.identity, **evaluation.settings}, option=orjson.OPT_SORT_KEYS)

    def read(self) -> dict[str, Probed]:
        """What was done before; a last line that a kill cut off is done without."""
        if not self.path.is_file():
            with replacing(self.path) as file:
                file.write(self._head + b"\n")
            return {}
        head, *lines = self.path.read_bytes().splitlines(keepends=True)
        if head.rstrip() != self._head:
            raise EvaluationError(f"{self.path}: is of another evaluation; give another --out")
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            with replacing(self.path) as file:
                file.writelines([head, *whole])
        return {probed.task: probed for probed in map(_probed, whole)}

    def add(self, probed: Probed) -> None:
        """Keep one more."""
        with self.path.open("ab") as file:
            file.write(orjson.dumps(asdict(probed), option=orjson.OPT_APPEND_NEWLINE))


def _probed(line: bytes) -> Probed:
    data = orjson.loads(line)
    episode = Episode(**{**data["episode"], "calls": tuple(data["episode"]["calls"])})
    return Probed(**{**data, "points": tuple(Point(**point) for point in data["points"]), "episode": episode})
