"""A player: works off its share of a plan in one process, and says what came of it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from agents.agent import Agent, Closable, Maker, OutOfBudget
from agents.budget import NOTHING, Account, Budget, Funds, Spender, Spent, of_users
from agents.episode import Crowd, begin, episode, play, play_together, seed_of
from agents.model_user import ModelUsers, RecordedUser
from agents.origin import described
from agents.run import PATIENCE, Failure, Key, Row, RunError
from agents.trajectory import Trajectory, dump_trajectory, load_trajectory
from agents.validate import replay, row_of
from envs import ToolEnv
from envs.worlds import as_worlds
from synthtools.backends import BackendName
from synthtools.pack import Pack, versions
from synthtools.task import Task

CHUNK = 96
"""Episodes of one job, at most."""
BATCH = 64
"""Rows of one message, at most."""
GIVE_UP = 5
"""Episodes in a row that an agent loses, in one process, to what does not answer; then it begins no more."""

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
    users: ModelUsers | None = None
    """A model in the part of the tasks' users; None: their scripts."""


@dataclass(slots=True)
class Batch:
    """Episodes on their way from a worker to the writer."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Item] = field(default_factory=list)
    """Not begun, or given up halfway, as the agent may spend no more in this process."""
    unbegun: int = 0
    spent: dict[str, Spent] = field(default_factory=dict)
    """Spender's identity → what it spent since the last batch, whatever came of it."""
    last: bool = False
    """The job is done."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.failures) + len(self.skipped) + self.unbegun


class Player:
    """Plays and validates episodes of one plan in this process."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.pack = plan, plan.pack
        self.tasks: dict[str, Task] = {task.id: task for task in self.pack.tasks}
        self.agents: list[Agent] = [_made(maker, self.tasks) for maker in plan.makers]
        self._account = Account(budget=plan.users.budget if plan.users else Budget())
        """Of users that are models."""
        self._unanswered: Counter[int] = Counter()
        """Number of the agent → episodes that it has lost in a row to what does not answer."""
        worlds = as_worlds(self.pack)
        self._open = partial(ToolEnv, worlds, reward=plan.reward, max_steps=plan.max_steps, backend=plan.backend)
        self._playing = [self._opened()]
        """One for each episode that is played at the same time."""
        self._checking = self._open(user=RecordedUser() if plan.users else None)

        self._told: dict[str, Spent] = {}
        """What batches have said of the agents' spending."""
        if len({agent.identity for agent in self.agents}) < len(self.agents):
            names = [agent.identity for agent in self.agents]
            double = next(name for name in names if names.count(name) > 1)
            raise RunError(f"the agent {double} is given more than once; give it once, and `trials` for more episodes of it")

    def _opened(self) -> ToolEnv:
        return self._open(user=self.plan.users.make(self._account) if self.plan.users else None)

    def close(self) -> None:
        """Let go of what agents hold outside this process."""
        for agent in self.agents:
            if isinstance(agent, Closable):
                agent.close()

    def fund(self, funds: Funds) -> None:
        """Tell agents and users what they may spend."""
        funds.give(self._spenders())
        self._told = {identity: spender.spent for identity, spender in self._spenders().items()}

    def _spenders(self) -> dict[str, Spender]:
        """Those that cost something, by identity."""
        users: dict[str, Spender] = {of_users(self.plan.users.identity): self._account} if self.plan.users else {}
        return {**users, **{agent.identity: agent for agent in self.agents if isinstance(agent, Spender)}}

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
            **({"user": plan.users.identity} if plan.users else {}),
            "versions": {**versions(), "code": code_digest()},
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
        """Play jobs one after another; a batch is ready when it is full, has waited long enough, or cost something."""
        for job in jobs:
            batch, begun = Batch(), time.monotonic()
            for group in self._groups(job):
                if len(group) > 1:
                    self._attempt_together(group, batch)
                else:
                    self._attempt(group[0], batch)
                self._bill(batch)
                if batch.spent or len(batch) >= BATCH or time.monotonic() - begun > PATIENCE:
                    yield batch
                    batch, begun = Batch(), time.monotonic()
            batch.last = True
            yield batch

    def _bill(self, batch: Batch) -> None:
        """Put down in the batch what was spent since the last one."""
        for identity, spender in self._spenders().items():
            news = spender.spent - self._told.get(identity, NOTHING)
            if news != NOTHING:
                batch.spent[identity] = news
                self._told[identity] = spender.spent

    def _attempt(self, item: Item, batch: Batch) -> None:
        agent = item[1]
        if self._unanswered[agent] >= GIVE_UP:
            batch.unbegun += 1
            return
        if not self._has_user(item):
            batch.skipped.append(item)
            return
        try:
            batch.rows.append(self.play(item))
            self._unanswered[agent] = 0
        except Exception as error:  # noqa: BLE001  the one place where a failure of our side is counted instead of raised
            if not isinstance(error, OutOfBudget):
                self._unanswered[agent] = self._unanswered[agent] + 1 if isinstance(error, ConnectionError) else 0
            self._lose(item, error, batch)

    def _has_user(self, item: Item) -> bool:
        """Whether the model that is to play an item's user may still be asked; where not, its agent need not begin to spend."""
        return self.plan.users is None or self.tasks[item[0]].user is None or not self._account.exhausted

    def _lose(self, item: Item, error: Exception, batch: Batch) -> None:
        """Put down that an episode was not played to its end."""
        if isinstance(error, OutOfBudget):
            batch.skipped.append(item)
        else:
            batch.failures.append(Failure(*self.key(item), described(error)))

    def _groups(self, job: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Items by themselves, and those of an agent that acts in many episodes at once together."""
        for number, agent in enumerate(self.agents):
            items = [item for item in job if item[1] == number]
            size = agent.batch if isinstance(agent, Crowd) else 1
            yield from (items[start : start + size] for start in range(0, len(items), size))

    def _attempt_together(self, items: Sequence[Item], batch: Batch) -> None:
        begun = time.perf_counter()
        batch.skipped += [item for item in items if not self._has_user(item)]
        items = [item for item in items if self._has_user(item)]
        if not items:
            return
        try:
            played = self._play_together(items)
        except Exception as error:  # noqa: BLE001  as above, and of them all: it is the agent's answer that failed
            played = [error] * len(items)
        seconds = (time.perf_counter() - begun) / len(items)
        for item, came in zip(items, played, strict=True):
            try:
                if isinstance(came, Exception):
                    raise came
                batch.rows.append(self._checked(came, self.tasks[item[0]], seconds))
            except Exception as error:  # noqa: BLE001  as above
                self._lose(item, error, batch)

    def _play_together(self, items: Sequence[Item]) -> list[Trajectory | Exception]:
        agent: Any = self.agents[items[0][1]]
        self._playing += [self._opened() for _ in range(len(items) - len(self._playing))]
        begun = []
        for (name, _, trial), env in zip(items, self._playing, strict=False):
            observation, opening = begin(self.tasks[name], env, seed_of(self.plan.seed, name, agent.identity, trial))
            begun.append((episode(observation, opening, env, pack=self.pack.digest, agent=agent.identity, trial=trial), opening))
        return play_together(agent, begun)

    def play(self, item: Item) -> Row:
        """Play one episode, read its record back, and validate that by replay."""
        task, agent, trial = self.tasks[item[0]], self.agents[item[1]], item[2]
        begun = time.perf_counter()
        seed = seed_of(self.plan.seed, task.id, agent.identity, trial)
        trajectory = play(agent, task, self._playing[0], pack=self.pack.digest, trial=trial, seed=seed)
        row = self._checked(trajectory, task, 0.0)
        return replace(row, seconds=time.perf_counter() - begun)

    def _checked(self, trajectory: Trajectory, task: Task, seconds: float) -> Row:
        """The row of a record that was read back and validated by replay."""
        verdict = replay(load_trajectory(dump_trajectory(trajectory)), task, self._checking)
        return row_of(trajectory, task, valid=verdict.valid, verdict=verdict.reason, seconds=seconds)


@cache
def code_digest() -> str:
    """Of every module and list of words that a trajectory can depend on."""
    root = Path(__file__).parent.parent
    own = [path for pattern in ("agents/*.py", "agents/students/*") for path in root.glob(pattern)]
    files = [*root.glob("synthtools/**/*.py"), *root.glob("synthtools/pools/*"), *root.glob("envs/*.py"), *own]
    total = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        total.update(f"{file.relative_to(root).as_posix()}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def _made(maker: Maker, tasks: Mapping[str, Task]) -> Agent:
    agent = maker(tasks)
    if lacking := [name for name in ("name", "identity", "begin", "act") if not hasattr(agent, name)]:
        raise RunError(f"{type(agent).__name__} is no agent: it has no {', '.join(lacking)} (agents/agent.py says what each is)")
    return agent
