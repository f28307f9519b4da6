"""A small pack of proven tasks on disk, made once in a test process, and an agent that breaks, for tests of what is built on packs."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from agents.agent import Maker, Opening, OutOfBudget, Turn, finish_call
from agents.cli.generate import make_pack
from synthtools.task import Task

DOMAINS = ("marina_berths", "clinic_roster")
TASKS_PER_DOMAIN = 14
SEED = 3


@lru_cache(maxsize=1)
def small_pack() -> Path:
    """Its folder."""
    folder = Path(tempfile.mkdtemp(prefix="synthtools-pack-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_pack(folder / "pack", list(DOMAINS), TASKS_PER_DOMAIN, SEED, 1)
    return folder / "pack"


@dataclass(slots=True)
class Frail:
    """An agent that finishes at once, except at tasks of one kind, where something of ours breaks."""

    breaks: str
    name: str = "frail"
    identity: str = "frail"
    _task: str = ""

    def begin(self, opening: Opening) -> None:
        """Remember which task it is."""
        self._task = opening.task

    def act(self, observations: Sequence[str]) -> Turn:
        """Finish, or break."""
        if self.breaks == "gone":
            raise ConnectionError("nobody is there")
        if "/question/" in self._task:
            match self.breaks:
                case "endpoint":
                    raise ConnectionError("the endpoint is down")
                case "budget":
                    raise OutOfBudget("spent")
                case "process":
                    os.kill(os.getpid(), signal.SIGKILL)
        return Turn((finish_call(),))


def frail(breaks: str) -> Maker:
    """How to make it; `breaks` is `gone`, `endpoint`, `budget`, `process`, or nothing for a sound one."""
    return partial(_make_frail, breaks)


def _make_frail(breaks: str, tasks: Mapping[str, Task]) -> Frail:
    return Frail(breaks)


sound, gone = frail(""), frail("gone")
