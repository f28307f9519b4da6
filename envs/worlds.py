"""Where an environment's tasks come from: one domain or a mixture of many, with weights and a range of difficulty."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

import numpy as np

from envs.offer import Offers
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.pack import Pack
from synthtools.task import Task

Difficulty: TypeAlias = int | Sequence[int] | None
"""One difficulty, a range (both ends in it), or all."""


class Tasks(Protocol):
    """Tasks by number, from 0: at hand, or made as they are taken."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int, /) -> Task:
        """One of them."""


class Shelf(Protocol):
    """One domain and its tasks."""

    def domain(self) -> Domain:
        """The domain, loaded when first asked for."""

    def tasks(self) -> Tasks:
        """Its tasks."""


@dataclass(frozen=True, slots=True)
class StoredShelf:
    """Tasks that are at hand, as in a pack."""

    held: Domain
    stored: tuple[Task, ...]

    def domain(self) -> Domain:
        """The domain."""
        return self.held

    def tasks(self) -> Tasks:
        """The tasks, in the pack's order."""
        return self.stored


@dataclass(frozen=True, slots=True)
class GrownShelf:
    """Tasks grown from a seed when they are first taken, and shared by all environments of this process."""

    source: str
    """The catalogue's name of a domain, or a blueprint file."""
    seed: int = 0

    def domain(self) -> Domain:
        """The domain, compiled once in a process."""
        return load_domain(self.source)

    def tasks(self) -> Tasks:
        """The stream of tasks."""
        return _stream(self.source, self.seed)


@lru_cache(maxsize=256)
def _stream(source: str, seed: int) -> Tasks:
    from synthtools.stream import TaskStream  # what grows tasks is loaded where tasks are grown

    return TaskStream(load_domain(source), seed)


class Worlds:
    """The domains of an environment. Shared by environments, and never changed."""

    def __init__(self, shelves: Mapping[str, Shelf], weights: Mapping[str, float] | None = None, difficulty: Difficulty = None) -> None:
        """`weights`: domain → how often relative to others, 1 where not given. Raises ValueError for a name that is not on the shelves."""
        if not shelves:
            raise ValueError("no domain to choose tasks from")
        self.shelves = dict(shelves)
        self.difficulty = difficulty
        self._names = tuple(self.shelves)
        self._heights = _pile(self._names, weights or {})
        self._offers: dict[str, Offers] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The domains' names."""
        return self._names

    def draw(self, rng: np.random.Generator, difficulty: Difficulty = None) -> Task:
        """A task, by the weights; `difficulty` takes the place of the mixture's own. ValueError where a domain has none such."""
        name = self._names[0] if len(self._names) == 1 else self.pick(rng)
        tasks = self._shelf(name).tasks()
        if not tasks:
            raise ValueError(f"{name} has no tasks to choose from")
        wanted = self.difficulty if difficulty is None else difficulty
        if wanted is None:
            return tasks[int(rng.random() * len(tasks))]
        low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
        for index in rng.permutation(len(tasks)):
            task = tasks[int(index)]
            if low <= task.difficulty <= high:
                return task
        raise ValueError(f"{name} has no task of difficulty {low} to {high}")

    def pick(self, rng: np.random.Generator) -> str:
        """The name of a domain, by the weights."""
        return self._names[bisect(self._heights, rng.random() * self._heights[-1])]

    def find(self, task_id: str) -> Task:
        """The task of this id. Raises ValueError when there is none."""
        tasks = self._shelf(task_id.partition("/")[0]).tasks()
        for index in range(len(tasks)):
            if tasks[index].id == task_id:
                return tasks[index]
        raise ValueError(f"there is no task {task_id!r} here")

    def offers(self, name: str) -> Offers:
        """What agents of a domain's tasks are given."""
        if name not in self._offers:
            self._offers[name] = Offers(self._shelf(name).domain())
        return self._offers[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_offers": {}}

    def _shelf(self, name: str) -> Shelf:
        if name not in self.shelves:
            raise ValueError(f"there is no domain {name!r} here: {', '.join(self._names)}")
        return self.shelves[name]


def worlds_of(tasks: Iterable[Task], domains: Mapping[str, Domain]) -> Worlds:
    """Worlds of tasks at hand, all equally likely; domains without tasks can still be reached by `reset(options={"task": …})`."""
    shelves = sort_tasks(tasks, domains)
    held = {name: StoredShelf(domain, shelves.get(name, ())) for name, domain in domains.items()}
    return Worlds(held, {name: float(len(group)) for name in held if (group := shelves.get(name, ())) or shelves})


def sort_tasks(tasks: Iterable[Task], domains: Mapping[str, Domain]) -> dict[str, tuple[Task, ...]]:
    """Tasks by domain, in their order. Raises ValueError for a task of another domain."""
    sorted_tasks: dict[str, list[Task]] = {}
    for task in tasks:
        if task.domain not in domains:
            raise ValueError(f"task {task.id} is of {task.domain}, which is not among the domains given")
        sorted_tasks.setdefault(task.domain, []).append(task)
    return {name: tuple(group) for name, group in sorted_tasks.items()}


def as_worlds(source: Worlds | Pack) -> Worlds:
    """A pack's tasks as worlds; worlds as they are."""
    return source if isinstance(source, Worlds) else worlds_of(source.tasks, source.domains)


def _pile(names: Sequence[str], weights: Mapping[str, float]) -> tuple[float, ...]:
    """Running totals of the weights."""
    strangers = sorted(set(weights) - set(names))
    if strangers:
        raise ValueError(f"a weight is given for {strangers[0]!r}, which is not among {', '.join(names)}")
    if any(weight < 0 for weight in weights.values()):
        raise ValueError("a weight is below zero")
    heights = tuple(accumulate(float(weights.get(name, 1.0)) for name in names))
    if len(names) > 1 and heights[-1] <= 0:
        raise ValueError("all weights are zero")
    return heights
