"""Tasks on demand: a domain's first proven tasks for a seed, each made when it is first wanted."""

from __future__ import annotations

from dataclasses import replace

from synthtools.domain import Domain
from synthtools.generate import Factory
from synthtools.task import KINDS, Task

LENGTH = 64
"""Tasks of a domain's default environment."""
_ORDER = (
    *("chain", "single", "question", "several", "forbidden", "conditional", "missing_tool", "chain"),
    *("missing_information", "confirmation", "identity", "dual_control", "recovery"),
)
_TRIES = 60


class TaskStream:
    """A sequence of tasks that is pure in (domain, seed, index)."""

    def __init__(self, domain: Domain, seed: int = 0, *, length: int = LENGTH) -> None:
        self.domain = domain
        self.seed = seed
        self._length = length
        self._made: dict[int, Task] = {}
        self._factory: Factory | None = None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Task:
        if not 0 <= index < self._length:
            raise IndexError(index)
        task = self._made.get(index)
        if task is None:
            task = self._made[index] = self._make(index)
        return task

    def _make(self, index: int) -> Task:
        """The first attempt that is proven; kinds that the domain cannot fill give way to the next one."""
        if self._factory is None:
            self._factory = Factory(self.domain, self.seed)
        first = _ORDER[index % len(_ORDER)]
        for kind in dict.fromkeys((first, *KINDS)):
            for attempt in range(_TRIES):
                pair = self._factory.attempt(kind, index * 1000 + attempt)
                if pair:
                    chosen = pair[(index // len(_ORDER)) % len(pair)]
                    return replace(chosen, id=f"{self.domain.name}/stream-{self.seed}/{index:04d}", twin="")
        raise RuntimeError(f"{self.domain.name}: no task could be proven")
