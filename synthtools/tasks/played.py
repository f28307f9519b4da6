"""A solution carried out, to be looked at, and to be carried out again with other steps in it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.alter import renumbered
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.fault import Fault
from synthtools.sample import CallSampler
from synthtools.setup import SetupError
from synthtools.task import Ref, SolutionStep, Task, refs, resolve
from synthtools.tasks.build import NotBuilt
from synthtools.tool import Tool, ToolResult

Steps = tuple[SolutionStep, ...]


@dataclass(frozen=True, slots=True)
class Faulted:
    """A schedule, the solution that recovers from it, and what one does who does not."""

    faults: tuple[Fault, ...]
    solution: Steps
    naive: tuple[Steps, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """A task without faults whose solution was carried out."""

    domain: Domain
    backend: LocalBackend
    sampler: CallSampler
    rng: random.Random
    task: Task
    results: tuple[Any, ...]
    """JSON results of the steps before the ending."""

    @property
    def steps(self) -> Steps:
        """The solution."""
        return self.task.solution

    def tool(self, index: int) -> Tool:
        """The tool that a step calls."""
        return self.domain.tools[self.steps[index].name]

    def nth(self, index: int) -> int:
        """The how manieth call of its tool a step is, from 1."""
        return sum(step.name == self.steps[index].name for step in self.steps[: index + 1])

    def uses(self, index: int) -> list[Ref]:
        """Where later steps refer to a step's result."""
        return [ref for step in self.steps[index + 1 :] for value in step.arguments.values() for ref in refs(value) if ref.step == index]

    def calls(self, wanted: Callable[[int], bool]) -> list[int]:
        """The steps before the ending that are wanted."""
        return [index for index in range(len(self.steps) - 1) if wanted(index)]

    def writes(self) -> list[int]:
        """Those that change something."""
        return self.calls(lambda index: not self.tool(index).read_only)

    def reads(self) -> list[int]:
        """Those that change nothing, and whose results are used."""
        return self.calls(lambda index: self.tool(index).read_only and bool(self.uses(index)))

    def pick(self, among: Sequence[Any]) -> Any:
        """One of these. Raises NotBuilt where there is none."""
        if not among:
            raise NotBuilt("nothing_to_strike")
        return self.rng.choice(among)

    def spliced(self, index: int, put: Sequence[SolutionStep], result: int) -> Steps:
        """The solution with other steps in place of one; `result`: which of them has what it had."""
        return splice(self.steps, index, put, result)

    def after(self, steps: Sequence[SolutionStep], start: Snapshot | None = None) -> list[ToolResult]:
        """What steps come to from the task's start, or another. Raises NotBuilt where one refers to what is not there."""
        try:
            self.backend.reset(start or self.task.start)
        except SetupError:
            raise NotBuilt("setup_refused") from None
        found: list[ToolResult] = []
        values: list[Any] = []
        for step in steps:
            try:
                found.append(self.backend.call(resolve(step, values)))
            except LookupError:
                raise NotBuilt("no_such_result") from None
            values.append(orjson.loads(found[-1].content))
        return found


def splice(steps: Sequence[SolutionStep], index: int, put: Sequence[SolutionStep], result: int) -> Steps:
    """Steps with others in place of one; `result`: which of them has what it had."""
    more = len(put) - 1
    place = {old: old if old < index else old + more for old in range(len(steps))} | {index: index + result}
    return (*steps[:index], *put, *(moved(step, place) for step in steps[index + 1 :]))


def moved(step: SolutionStep, place: Mapping[int, int]) -> SolutionStep:
    """A step after the results that it refers to have other numbers."""
    return SolutionStep(step.name, {name: renumbered(value, place) for name, value in step.arguments.items()})
