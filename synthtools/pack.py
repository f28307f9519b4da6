"""A pack: a folder with the domains and proven tasks of one generation, and a manifest of what made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from synthtools.catalog import splits
from synthtools.codec import task_from_json, task_to_json
from synthtools.compile import compiled
from synthtools.domain import Domain
from synthtools.fault import StaleRead
from synthtools.manifest import FORMAT, DomainLine, Manifest, TaskLine, fault_of
from synthtools.misfit import misfit
from synthtools.replacing import replacing
from synthtools.setup import SetupError, vet_setup
from synthtools.surface import Surface
from synthtools.task import Task
from synthtools.toolkit.shelve import load_code_of, save_code


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
        described[name] = {"digest": domain.digest, "field": domain.field, "split": domain.split, "surface": asdict(domain.surface)}
        if domain.toolkit is None:
            _write(path / "domains" / f"{name}.yaml", domain.source.encode())
        else:
            described[name]["toolkit"] = save_code(path / "domains" / name, domain)
    digest = _digest(lines, described)
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


def load_pack(path: str | Path, *, tasks: bool = True, trust: bool = False) -> Pack:
    """Read a pack; toolkits in it run in containers unless trusted. Raises PackError: it is none, is damaged, or is not what its digest says.

    Without `tasks` their file is not looked at, so the digest is taken on trust.
    """
    path = pack_folder(path)
    manifest = _manifest(path)
    domains = {name: _domain(path / "domains" / f"{name}.yaml", name, described, trust=trust) for name, described in manifest.domains.items()}
    read = _tasks(path / "tasks.jsonl", manifest, domains) if tasks else ()
    return Pack(domains, read, manifest.seed, manifest.dropped, manifest.digest)


def pack_folder(path: str | Path) -> Path:
    """The folder itself, or the pack in the folder of a run."""
    path = Path(path)
    return path / "pack" if (path / "pack").is_dir() and not (path / "manifest.json").exists() else path


def _manifest(path: Path) -> Manifest:
    file = path / "manifest.json"
    try:
        data = orjson.loads(file.read_bytes())
    except NotADirectoryError:
        raise PackError(f"{path}: is a file, and a pack is a folder; give the one that `synthtools generate --out` wrote") from None
    except FileNotFoundError:
        raise PackError(f"{path}: no pack here (no manifest.json); make one with `synthtools generate --out {path}`") from None
    except (OSError, ValueError) as error:
        raise PackError(f"{file}: cannot be read ({error}); generate the pack again") from None
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        raise PackError(f"{file}: pack format {data['format']!r}, this version reads {FORMAT}; generate the pack again")
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        raise PackError(f"{file}: not the manifest of a pack ({fault_of(error)}); generate the pack again") from None


def _domain(file: Path, name: str, described: DomainLine, *, trust: bool) -> Domain:
    domain = _compiled(file, described) if described.toolkit is None else _shelved(file.with_suffix(""), described, trust=trust)
    if (domain.digest, domain.name, domain.field) != (described.digest, name, described.field):
        raise PackError(f"{file}: differs from what the pack was made with; generate the pack again")
    if described.split != splits().get(domain.field, described.split):
        raise PackError(f"{file}: the field {domain.field} is of {splits()[domain.field]}, not of {described.split}; generate the pack again")
    return domain


def _shelved(folder: Path, described: DomainLine, *, trust: bool) -> Domain:
    try:
        return load_code_of(folder, described.model_dump(), trust=trust)
    except ValueError as error:
        raise PackError(f"{folder}: {error}; generate the pack again") from None


def _compiled(file: Path, described: DomainLine) -> Domain:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(f"{file}: cannot be read ({error}); generate the pack again") from None
    return compiled(text, str(file), split=described.split, surface=Surface(**described.surface))


def _tasks(file: Path, manifest: Manifest, domains: Mapping[str, Domain]) -> tuple[Task, ...]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PackError(f"{file}: cannot be read ({error.strerror}); generate the pack again") from None
    lines = data.splitlines()
    if len(lines) != manifest.tasks:
        raise PackError(f"{file}: {len(lines)} tasks where the manifest says {manifest.tasks}; generate the pack again")
    found: dict[str, Task] = {}
    for number, line in enumerate(lines, 1):
        task = _task(f"{file}:{number}", line)
        fault = _fault(task, domains) or (f"the task {task.id} stands here a second time" if task.id in found else "")
        if fault:
            raise PackError(f"{file}:{number}: {fault}; generate the pack again")
        found[task.id] = task
    described = {name: line.model_dump(exclude_none=True) for name, line in manifest.domains.items()}
    if _digest(data, described) != manifest.digest:
        raise PackError(f"{file}: the tasks or domains are not those of the manifest's digest; generate the pack again")
    return tuple(found.values())


def _task(place: str, line: bytes) -> Task:
    try:
        TaskLine.model_validate_json(line)
        return task_from_json(line)
    except ValidationError as error:
        raise PackError(f"{place}: not a task ({fault_of(error)}); generate the pack again") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackError(f"{place}: not a task ({error!r}); generate the pack again") from None


def _fault(task: Task, domains: Mapping[str, Domain]) -> str:
    """What is not so between a task and its domain."""
    domain = domains.get(task.domain)
    if domain is None:
        return f"the task {task.id} is of {task.domain!r}, which the manifest does not list"
    if (task.field, task.split) != (domain.field, domain.split):
        return f"the task {task.id} is of {task.field}, {task.split}, and its domain of {domain.field}, {domain.split}"
    if task.start.domain != domain.digest:
        return f"the task {task.id} begins in another version of {task.domain}"
    if any(alternative.check for alternative in task.goal.alternatives) and not (domain.toolkit and domain.toolkit.trusted):
        return f"the task {task.id} is judged by code of the pack; give --trust if you know it"
    if found := misfit(task, domain):
        return found
    try:
        copies = [sql for fault in task.faults if isinstance(fault, StaleRead) for sql in fault.copy]
        for sql in (*task.start.setup, *copies):
            vet_setup(domain, sql)
    except SetupError as error:
        return str(error)
    return ""


def _digest(lines: bytes, described: Mapping[str, Any]) -> str:
    return hashlib.sha256(lines + orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()


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
