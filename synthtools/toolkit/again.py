"""Playing recorded calls again: in a backend of one's own, or in another interpreter that hashes text otherwise."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from synthtools.backend import Backend, Snapshot
from synthtools.domain import Domain
from synthtools.tool import ToolCall

_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Recorded:
    """An episode: where it began, the calls, and what each came to."""

    start: Snapshot
    calls: tuple[ToolCall, ...]
    contents: tuple[str, ...]


def play(backend: Backend, episodes: Sequence[Recorded]) -> list[list[str]]:
    """The contents of the calls' results, episode by episode, each ended by its net change."""
    played = []
    for episode in episodes:
        backend.reset(episode.start)
        contents = [backend.call(call).content for call in episode.calls]
        played.append([*contents, repr(backend.changes())])
    return played


def play_elsewhere(domain: Domain, episodes: Sequence[Recorded]) -> list[list[str]]:
    """The same in another process, under another hash seed. Only for trusted code. Raises RuntimeError when it does not come to its end."""
    environ = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "synthtools.toolkit.again"]
    done = subprocess.run(command, input=pickle.dumps((domain, list(episodes))), env=environ, capture_output=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["ended without a word"])
    contents: list[list[str]] = orjson.loads(done.stdout)
    return contents


def main() -> None:
    """The other process: a domain and episodes from its parent's pickle, contents as JSON to it."""
    from synthtools.backends import in_process

    domain, episodes = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent process
    backend = in_process(domain)
    sys.stdout.buffer.write(orjson.dumps(play(backend, episodes)))


if __name__ == "__main__":
    main()
