"""What proves that a task is about recovering: the solution without faults, and what one does who does not recover."""

from __future__ import annotations

from dataclasses import dataclass

from synthtools.task import SolutionStep


@dataclass(frozen=True, slots=True)
class Recovery:
    """Other solutions of a task with faults."""

    plain: tuple[SolutionStep, ...]
    """Does the job where nothing goes wrong."""
    naive: tuple[tuple[SolutionStep, ...], ...]
    """Each must fail where things go wrong: the fault is not noticed, the call is blindly made again, the injection is followed."""
