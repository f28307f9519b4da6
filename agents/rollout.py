"""Rollouts: many tasks, agents and trials in several processes, validated where they were played, kept by one writer."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from agents.budget import NOTHING, Funds, Spent
from agents.player import Batch, Item, Plan, Player
from agents.run import PATIENCE, Failure, Run

__all__ = ["Plan", "Player", "Summary", "rollout"]

Progress = Callable[[int, int], None]
"""Told (episodes done, episodes in all)."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one call of `rollout` did."""

    before: int
    """Trajectories that were stored already."""
    added: int
    failures: int
    """Episodes lost to our side: no trajectory, no score."""
    skipped: int
    """Episodes not begun, or given up halfway, because a budget was spent."""
    unbegun: int = 0
    """Episodes not begun because what the agent acts through had not answered `GIVE_UP` times in a row."""


def rollout(plan: Plan, out: Path, *, workers: int = 1, progress: Progress | None = None, held: IO[bytes] | None = None) -> Summary:
    """Roll out what the run folder does not hold yet, and keep it there; RunError when the folder is another run's.

    `held`: the folder's lock, where the caller has it (see `agents.run.claim`).
    """
    player = Player(plan)
    try:
        return _played(plan, player, out, workers, progress or _untold, held)
    finally:
        player.close()


def _untold(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def _played(plan: Plan, player: Player, out: Path, workers: int, progress: Progress, held: IO[bytes] | None) -> Summary:
    with Run(out, player.settings(), {agent.identity: agent.name for agent in player.agents}, held) as run:
        stored = run.stored()
        jobs = player.jobs(stored, workers)
        total = sum(len(job) for job in jobs)
        done = added = skipped = unbegun = 0
        progress(0, total)
        crew = min(workers, len(jobs))
        funds = Funds(run.spent(), max(1, crew))
        player.fund(funds)
        for batch in player.work(jobs) if crew <= 1 else spread(plan, player, jobs, funds):
            run.add(batch.rows, batch.failures, batch.spent)
            done, added = done + len(batch), added + len(batch.rows)
            skipped, unbegun = skipped + len(batch.skipped), unbegun + batch.unbegun
            progress(done, total)
        return Summary(len(stored), added, run.lost(), skipped, unbegun)


@dataclass(slots=True)
class Worker:
    """A process at work, its pipe, and the jobs it has been given."""

    process: BaseProcess
    pipe: Connection
    jobs: list[list[Item]] = field(default_factory=list)
    domain: str = ""
    """Of its last job; it stays there while it can, for the worlds are built."""
    spent: dict[str, Spent] = field(default_factory=dict)
    """Agent's identity → what it has spent; its successor is told."""
    out_of_funds: set[int] = field(default_factory=set)
    """Numbers of the agents that may spend no more in it."""


def spread(plan: Plan, player: Player, jobs: Sequence[list[Item]], funds: Funds) -> Iterator[Batch]:
    """Play jobs in worker processes; a worker that dies is replaced, and its job's episodes are counted as failures.

    What one has no funds left for is given to another that has: what is skipped in the end, none of them may pay for.
    """
    waiting: dict[str, list[list[Item]]] = {}
    returned: list[list[Item]] = []
    for job in reversed(jobs):
        waiting.setdefault(player.tasks[job[0][0]].domain, []).append(job)
    crew = [_hire(plan, funds) for _ in range(funds.parts)]
    try:
        for worker in crew:
            _feed(worker, waiting, returned, crew)
        while any(worker.jobs for worker in crew):
            ready = wait([worker.pipe for worker in crew if worker.jobs], PATIENCE)
            if not ready:
                yield Batch()  # so that what waits to be written is looked at
            for worker in [worker for worker in crew if worker.pipe in ready]:
                batch = _receive(worker)
                if batch is None:
                    crew.remove(worker)
                    yield _lost(player, worker)
                    worker = _hire(plan, replace(funds, own=worker.spent))
                    crew.append(worker)
                else:
                    returned += _take_back(worker, batch)
                    yield batch
            for worker in crew:
                _feed(worker, waiting, returned, crew)
        if returned:
            yield Batch(skipped=[item for job in returned for item in job])
    finally:
        for worker in crew:
            worker.pipe.close()
            worker.process.terminate()
            worker.process.join()


def _hire(plan: Plan, funds: Funds) -> Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(plan, funds, theirs), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours, spent=dict(funds.own))


def _feed(worker: Worker, waiting: dict[str, list[list[Item]]], returned: list[list[Item]], crew: Sequence[Worker]) -> None:
    """Give it jobs until it has two."""
    while len(worker.jobs) < 2 and (job := _next(worker, waiting, returned, crew)):
        worker.jobs.append(job)
        try:
            worker.pipe.send(job)
        except BrokenPipeError:
            return  # it has died: what it was given is counted as lost where its end is read


def _next(worker: Worker, waiting: dict[str, list[list[Item]]], returned: list[list[Item]], crew: Sequence[Worker]) -> list[Item] | None:
    """What came back that it has funds for; else of its own domain, or of one that nobody is at, or of the one with most left."""
    for number, job in enumerate(returned):
        if job[0][1] not in worker.out_of_funds:
            return returned.pop(number)
    if not waiting:
        return None
    if worker.domain not in waiting:
        taken = {other.domain for other in crew}
        worker.domain = max(waiting, key=lambda domain: (domain not in taken, len(waiting[domain])))
    job = waiting[worker.domain].pop()
    if not waiting[worker.domain]:
        del waiting[worker.domain]
    return job


def _take_back(worker: Worker, batch: Batch) -> list[list[Item]]:
    """What a worker had no funds for, a job an agent; it leaves the batch."""
    jobs: dict[int, list[Item]] = {}
    for item in batch.skipped:
        jobs.setdefault(item[1], []).append(item)
    worker.out_of_funds |= jobs.keys()
    batch.skipped = []
    return list(jobs.values())


def _receive(worker: Worker) -> Batch | None:
    """Its next batch, put to its account; None where it has died."""
    try:
        batch = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return None
    if not isinstance(batch, Batch):
        return None
    for agent, spent in batch.spent.items():
        worker.spent[agent] = worker.spent.get(agent, NOTHING) + spent
    if batch.last:
        worker.jobs.pop(0)
    return batch


def _lost(player: Player, worker: Worker) -> Batch:
    worker.process.join()
    error = f"the worker process ended with code {worker.process.exitcode}"
    worker.pipe.close()
    return Batch(failures=[Failure(*player.key(item), error) for job in worker.jobs for item in job])


def serve(plan: Plan, funds: Funds, pipe: Connection) -> None:
    """A worker's life: take jobs from the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    player = Player(plan)
    player.fund(funds)
    try:
        while True:
            for batch in player.work([pipe.recv()]):
                pipe.send(batch)
    except (EOFError, BrokenPipeError):
        return
    finally:
        player.close()


def _leave(_signal: int, _frame: object) -> None:
    """End as programs do, so that what agents hold is let go."""
    raise SystemExit(0)
