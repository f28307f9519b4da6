"""The place of faults: a Backend around a Backend, by a schedule that is data of the task."""

from __future__ import annotations

from typing import Protocol

from synthtools.backend import Backend
from synthtools.task import Task


class Faults(Protocol):
    """What goes wrong on purpose.

    Forks and pickles deep-copy and pickle it: so this, and not the backend that it makes, holds how far the schedule is.
    """

    def begin(self, task: Task) -> None:
        """Go to the start of the task's schedule."""

    def around(self, backend: Backend) -> Backend:
        """The backend, with the faults of the schedule from where it stands now."""
