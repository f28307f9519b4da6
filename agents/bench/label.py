"""What a run is a run of: the suite's name, version and digest, kept beside it and held against its pack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agents.run import RunError
from synthtools.codec import task_to_json
from synthtools.pack import Pack
from synthtools.task import Task


@dataclass(frozen=True, slots=True)
class Label:
    """Which tasks they are."""

    name: str
    version: int
    """0: no suite, but a pack."""
    digest: str
    """SHA-256 of the tasks."""
    split: str = ""
    canary: str = ""

    def settings(self) -> dict[str, Any]:
        """As `run.json` keeps it."""
        return {"suite": self.name, "version": self.version, "digest": self.digest, "split": self.split, "canary": self.canary}


def tasks_digest(tasks: Iterable[Task]) -> str:
    """SHA-256 of tasks as packs hold them, one a line."""
    return hashlib.sha256(b"".join(task_to_json(task) + b"\n" for task in tasks)).hexdigest()


def read_label(folder: Path, pack: Pack) -> Label:
    """The label of a run that `bench` made; that of its pack where another command did. Raises RunError where the pack is of another suite."""
    digest = tasks_digest(pack.tasks)
    kept = _kept(folder / "run.json")
    if "suite" not in kept:
        return Label(folder.resolve().name, 0, digest)
    if kept.get("digest") != digest:
        raise RunError(f"{folder}: its pack holds other tasks than {kept['suite']} {kept.get('version')}; put the right pack back")
    return Label(str(kept["suite"]), int(kept["version"]), digest, str(kept.get("split", "")), str(kept.get("canary", "")))


def _kept(path: Path) -> Mapping[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); give the same `bench` command again in another --out") from None
    return found if isinstance(found, dict) else {}
