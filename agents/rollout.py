"""Rollouts: many tasks, agents and trials in several processes, validated where they were played, kept by one writer."""

from __future__ import annotations

import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from agents.agent import Agent, Maker, OutOfBudget
from agents.episode import play
from agents.run import Failure, Key, Row, Run
from agents.trajectory import dump_trajectory, load_trajectory
from agents.validate import replay
from envs import ToolEnv
from envs.worlds import as_worlds
from synthtools.backends import BackendName
from synthtools.pack import Pack
from synthtools.seed import derive
from synthtools.task import Task

CHUNK = 96
"""Episodes of one job, at most."""
BATCH = 64
"""Rows of one message, at most."""
PATIENCE = 1.0
"""Seconds that finished episodes wait in a worker, at most, when an agent is slow."""

GIVE_UP = 5
"""Episodes in a row that an agent loses, in one process, to what does not answer; then it begins no more."""

Progress = Callable[[int, int], None]
"""Told (episodes done, episodes in all)."""
Item = tuple[str, int, int]
"""(task id, number of the agent, trial)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to roll out; equal plans give equal trajectories in any number of processes."""

    pack: Pack
    makers: tuple[Maker, ...]
    """One for each agent: called with all tasks by id, in every worker; so they must pickle."""
    trials: int = 1
    seed: int = 0
    max_steps: int = 30
    reward: Literal["success", "shaped"] = "success"
    backend: BackendName | None = None
    """Where tools run; the trajectories are the same."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one call of `rollout` did."""

    before: int
    """Trajectories that were stored already."""
    added: int
    failures: int
    """Episodes lost to our side: no trajectory, no score."""
    skipped: int
    """Episodes not begun because a budget was spent."""
    unbegun: int = 0
    """Episodes not begun because what the agent acts through had not answered `GIVE_UP` times in a row."""


@dataclass(slots=True)
class Batch:
    """Episodes on their way from a worker to the writer."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: int = 0
    unbegun: int = 0
    last: bool = False
    """The job is done."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.failures) + self.skipped + self.unbegun


def rollout(plan: Plan, out: Path, *, workers: int = 1, progress: Progress | None = None) -> Summary:
    """Roll out what the run folder does not hold yet, and keep it there; RunError when the folder is another run's."""
    player = Player(plan)
    with Run(out, player.settings(), {agent.identity: agent.name for agent in player.agents}) as run:
        stored = run.stored()
        jobs = player.jobs(stored, workers)
        total = sum(len(job) for job in jobs)
        done = added = skipped = unbegun = 0
        if progress is not None:
            progress(0, total)
        batches = player.work(jobs) if workers <= 1 or len(jobs) <= 1 else spread(plan, player, jobs, workers)
        for batch in batches:
            run.add(batch.rows, batch.failures)
            done, added = done + len(batch), added + len(batch.rows)
            skipped, unbegun = skipped + batch.skipped, unbegun + batch.unbegun
            if progress is not None:
                progress(done, total)
        return Summary(len(stored), added, run.lost(), skipped, unbegun)


class Player:
    """Plays and validates episodes of one plan in this process."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.pack = plan, plan.pack
        self.tasks: dict[str, Task] = {task.id: task for task in self.pack.tasks}
        self.agents: list[Agent] = [maker(self.tasks) for maker in plan.makers]
        self._unanswered: Counter[int] = Counter()
        """Number of the agent → episodes that it has lost in a row to what does not answer."""
        worlds = as_worlds(self.pack)
        self._playing = ToolEnv(worlds, reward=plan.reward, max_steps=plan.max_steps, backend=plan.backend)
        self._checking = ToolEnv(worlds, reward=plan.reward, max_steps=plan.max_steps, backend=plan.backend)

    def settings(self) -> dict[str, Any]:
        """All that a trajectory of the plan depends on, for the run folder to insist on."""
        plan = self.plan
        agents = [agent.identity for agent in self.agents]
        return {
            "pack": self.pack.digest,
            "agents": agents,
            "trials": plan.trials,
            "seed": plan.seed,
            "max_steps": plan.max_steps,
            "reward": plan.reward,
        }

    def key(self, item: Item) -> Key:
        """Under which the item's trajectory is stored."""
        task, agent, trial = item
        return (self.pack.digest, task, self.agents[agent].identity, trial)

    def jobs(self, stored: set[Key], workers: int) -> list[list[Item]]:
        """What is not stored, in pieces of one domain each."""
        domains: dict[str, list[Item]] = {}
        for task in self.pack.tasks:
            for agent in range(len(self.agents)):
                for trial in range(self.plan.trials):
                    item = (task.id, agent, trial)
                    if self.key(item) not in stored:
                        domains.setdefault(task.domain, []).append(item)
        total = sum(len(items) for items in domains.values())
        size = max(1, min(CHUNK, -(-total // (4 * max(1, workers)))))
        return [items[start : start + size] for items in domains.values() for start in range(0, len(items), size)]

    def work(self, jobs: Sequence[Sequence[Item]]) -> Iterator[Batch]:
        """Play jobs one after another; a batch is ready when it is full or has waited long enough."""
        for job in jobs:
            batch, begun = Batch(), time.monotonic()
            for item in job:
                self._attempt(item, batch)
                if len(batch) >= BATCH or time.monotonic() - begun > PATIENCE:
                    yield batch
                    batch, begun = Batch(), time.monotonic()
            batch.last = True
            yield batch

    def _attempt(self, item: Item, batch: Batch) -> None:
        agent = item[1]
        if self._unanswered[agent] >= GIVE_UP:
            batch.unbegun += 1
            return
        try:
            batch.rows.append(self.play(item))
            self._unanswered[agent] = 0
        except OutOfBudget:
            batch.skipped += 1
        except Exception as error:  # noqa: BLE001  the one place where a failure of our side is counted instead of raised
            self._unanswered[agent] = self._unanswered[agent] + 1 if isinstance(error, ConnectionError) else 0
            batch.failures.append(Failure(*self.key(item), _where(error)))

    def play(self, item: Item) -> Row:
        """Play one episode, read its record back, and validate that by replay."""
        task, agent, trial = self.tasks[item[0]], self.agents[item[1]], item[2]
        begun = time.perf_counter()
        seed = derive(self.plan.seed, task.id, agent.identity, trial) >> 11
        trajectory = play(agent, task, self._playing, pack=self.pack.digest, trial=trial, seed=seed)
        record = dump_trajectory(trajectory)
        verdict = replay(load_trajectory(record), task, self._checking)
        return Row(
            *(trajectory.pack, task.id, trajectory.agent, trial, task.domain, task.split, task.kind),
            *(trajectory.success, verdict.valid, trajectory.reason, verdict.reason, trajectory.reward),
            *(len(trajectory.steps), trajectory.errors, sum(step.tokens for step in trajectory.steps)),
            *(record.decode(), time.perf_counter() - begun),
        )


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


@dataclass(slots=True)
class Worker:
    """A process at work, its pipe, and the jobs it has been given."""

    process: BaseProcess
    pipe: Connection
    jobs: list[list[Item]] = field(default_factory=list)
    domain: str = ""
    """Of its last job; it stays there while it can, for the worlds are built."""


def spread(plan: Plan, player: Player, jobs: Sequence[list[Item]], workers: int) -> Iterator[Batch]:
    """Play jobs in worker processes; a worker that dies is replaced, and its job's episodes are counted as failures."""
    waiting: dict[str, list[list[Item]]] = {}
    for job in reversed(jobs):
        waiting.setdefault(player.tasks[job[0][0]].domain, []).append(job)
    crew = [_hire(plan) for _ in range(min(workers, len(jobs)))]
    try:
        for worker in crew:
            _feed(worker, waiting, crew)
        while any(worker.jobs for worker in crew):
            ready = wait([worker.pipe for worker in crew if worker.jobs])
            for worker in [worker for worker in crew if worker.pipe in ready]:
                batch = _receive(worker)
                if batch is None:
                    crew.remove(worker)
                    yield _lost(player, worker)
                    worker = _hire(plan)
                    crew.append(worker)
                elif batch.last:
                    worker.jobs.pop(0)
                    yield batch
                else:
                    yield batch
                _feed(worker, waiting, crew)
    finally:
        for worker in crew:
            worker.pipe.close()
            worker.process.terminate()
            worker.process.join()


def _hire(plan: Plan) -> Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(plan, theirs), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def _feed(worker: Worker, waiting: dict[str, list[list[Item]]], crew: Sequence[Worker]) -> None:
    """Give it jobs until it has two: of its own domain, or of one that nobody is at, or of the one with most left."""
    while waiting and len(worker.jobs) < 2:
        if worker.domain not in waiting:
            taken = {other.domain for other in crew}
            worker.domain = max(waiting, key=lambda domain: (domain not in taken, len(waiting[domain])))
        job = waiting[worker.domain].pop()
        if not waiting[worker.domain]:
            del waiting[worker.domain]
        worker.jobs.append(job)
        worker.pipe.send(job)


def _receive(worker: Worker) -> Batch | None:
    try:
        batch = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return None
    return batch if isinstance(batch, Batch) else None


def _lost(player: Player, worker: Worker) -> Batch:
    worker.process.join()
    error = f"the worker process ended with code {worker.process.exitcode}"
    worker.pipe.close()
    return Batch(failures=[Failure(*player.key(item), error) for job in worker.jobs for item in job])


def serve(plan: Plan, pipe: Connection) -> None:
    """A worker's life: take jobs from the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    player = Player(plan)
    try:
        while True:
            for batch in player.work([pipe.recv()]):
                pipe.send(batch)
    except (EOFError, BrokenPipeError):
        return
