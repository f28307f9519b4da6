"""A pack: a folder with the domains and proven tasks of one generation, and a manifest of what made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from synthtools.codec import task_from_json, task_to_json
from synthtools.compile import compiled
from synthtools.domain import Domain
from synthtools.replacing import replacing
from synthtools.setup import SetupError, vet_setup
from synthtools.surface import Surface
from synthtools.task import Task

FORMAT = 1


class PackError(ValueError):
    """A folder that is no pack, or a pack that is damaged: which file, what, how to mend it, in one line."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Domains by name, and tasks in order of generation."""

    domains: Mapping[str, Domain]
    tasks: tuple[Task, ...]
    seed: int
    dropped: Mapping[str, Mapping[str, int]]
    """Gate → kind → candidate tasks that it turned away."""
    digest: str
    """Of the tasks and the domains: the pack's identity."""


def save_pack(path: str | Path, domains: Mapping[str, Domain], tasks: Iterable[Task], *, dropped: Mapping[str, Mapping[str, int]], seed: int) -> Pack:
    """Write a pack; the manifest comes last, so a folder without one was interrupted."""
    path = Path(path)
    (path / "domains").mkdir(parents=True, exist_ok=True)
    kept = tuple(tasks)
    lines = b"".join(task_to_json(task) + b"\n" for task in kept)
    described: dict[str, Any] = {}
    for name, domain in sorted(domains.items()):
        _write(path / "domains" / f"{name}.yaml", domain.source.encode())
        described[name] = {"digest": domain.digest, "field": domain.field, "split": domain.split, "surface": asdict(domain.surface)}
    digest = hashlib.sha256(lines + orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()
    _write(path / "tasks.jsonl", lines)
    manifest = {
        "format": FORMAT,
        "digest": digest,
        "seed": seed,
        "tasks": len(kept),
        "dropped": {gate: dict(kinds) for gate, kinds in dropped.items()},
        "domains": described,
        "versions": versions(),
    }
    _write(path / "manifest.json", orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
    return Pack(dict(sorted(domains.items())), kept, seed, dropped, digest)


def load_pack(path: str | Path, *, tasks: bool = True) -> Pack:
    """Read a pack. Raises PackError with one line when it is none or is damaged."""
    path = Path(path)
    if (path / "pack").is_dir() and not (path / "manifest.json").exists():
        path = path / "pack"
    manifest = _manifest(path)
    domains = {}
    for name, described in manifest["domains"].items():
        file = path / "domains" / f"{name}.yaml"
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PackError(f"{file}: cannot be read ({error}); generate the pack again") from None
        domain = compiled(text, str(file), split=described["split"], surface=Surface(**described["surface"]))
        if domain.digest != described["digest"]:
            raise PackError(f"{file}: differs from what the pack was made with; generate the pack again")
        domains[name] = domain
    read = _tasks(path / "tasks.jsonl", manifest["tasks"]) if tasks else ()
    _vet_setups(path / "tasks.jsonl", read, domains)
    return Pack(domains, read, manifest["seed"], manifest["dropped"], manifest["digest"])


def _manifest(path: Path) -> dict[str, Any]:
    file = path / "manifest.json"
    try:
        manifest: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise PackError(f"{path}: no pack here (no manifest.json); make one with `synthtools generate --out {path}`") from None
    except (OSError, ValueError) as error:
        raise PackError(f"{file}: cannot be read ({error}); generate the pack again") from None
    if not isinstance(manifest, dict) or not {"domains", "tasks", "seed", "dropped", "digest"} <= manifest.keys():
        raise PackError(f"{file}: not the manifest of a pack; generate the pack again")
    if manifest.get("format") != FORMAT:
        raise PackError(f"{file}: pack format {manifest.get('format')}, this version reads {FORMAT}; generate the pack again")
    return manifest


def _tasks(file: Path, count: int) -> tuple[Task, ...]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise PackError(f"{file}: cannot be read ({error.strerror}); generate the pack again") from None
    if len(lines) != count:
        raise PackError(f"{file}: {len(lines)} tasks where the manifest says {count}; generate the pack again")
    tasks = []
    for number, line in enumerate(lines, 1):
        try:
            tasks.append(task_from_json(line))
        except (ValueError, KeyError, TypeError) as error:
            raise PackError(f"{file}:{number}: not a task ({error!r}); generate the pack again") from None
    return tuple(tasks)


def _vet_setups(file: Path, tasks: Iterable[Task], domains: Mapping[str, Domain]) -> None:
    """Refuse a set-up that does more than change rows of the task's own domain."""
    for number, task in enumerate(tasks, 1):
        if task.domain not in domains:
            continue
        try:
            for sql in task.start.setup:
                vet_setup(domains[task.domain], sql)
        except SetupError as error:
            raise PackError(f"{file}:{number}: {error}") from None


def versions() -> dict[str, str]:
    """The versions of what can change the bytes of a pack."""
    found = {}
    for name in ("synthtools", "apsw", "sqlglot"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "source"
    return found


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)
