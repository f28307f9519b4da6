"""A small run of agents that succeed, fail and say hostile things, made once in a test process, for tests of what shows runs."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agents.agent import Opening, Turn, finish_call
from agents.cli import invoke
from packs import small_pack
from synthtools.task import Task
from synthtools.tool import ToolCall

TRIALS = 2
HOSTILE = "</script><script>document.title='taken'</script><!-- <b>fett</b> & žluťoučký ☂ \u2028 'quoted' [[data]]"


@dataclass(slots=True)
class Shouter:
    """An agent that says and calls with what could break a page, and answers with it."""

    name: str = "shouter"
    identity: str = "shouter"
    _first: str = ""

    def begin(self, opening: Opening) -> None:
        """Remember a tool."""
        self._first = opening.tools[0]["function"]["name"]

    def act(self, observations: Sequence[str]) -> Turn:
        """Two calls in one turn, then the end."""
        name, self._first = self._first, ""
        if not name:
            return Turn((finish_call(HOSTILE),))
        return Turn((ToolCall(name, {"<img src=x onerror=alert(1)>": HOSTILE}), ToolCall(name, HOSTILE)), HOSTILE)


def shouter(tasks: Mapping[str, Task]) -> Shouter:
    """How to make it."""
    return Shouter()


@lru_cache(maxsize=1)
def small_run() -> Path:
    """The folder of a bench of it beside three scripted agents."""
    return _bench("first", "solution", "random", "rule", "reported:shouter")


@lru_cache(maxsize=1)
def other_run() -> Path:
    """Another at the same tasks: one of its agents has the name of one of the first."""
    return _bench("second", "rule", "finish")


def _bench(name: str, *agents: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="synthtools-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    chosen = [part for agent in agents for part in ("--agent", agent)]
    suite = ("--suite", str(small_pack()), "--split", "all", "--trials", str(TRIALS), "--workers", "1")
    assert invoke(["bench", *chosen, *suite, "--out", str(folder / name), "--json"]) == 0
    return folder / name
