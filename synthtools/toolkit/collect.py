"""A toolkit's tasks: those written beside it, proven once and remembered."""

from __future__ import annotations

import pickle
from pathlib import Path

from synthtools.backends import BackendName, open_backend
from synthtools.cache import code_version, remembered
from synthtools.domain import Domain
from synthtools.toolkit.fault import ToolkitError
from synthtools.toolkit.tasks import Proven, prove_tasks

TASKS = "tasks.yaml"
"""The file of tasks beside a toolkit."""


def tasks_beside(toolkit: str | Path, domain: Domain, backend: BackendName | None = None) -> Proven:
    """The tasks in `tasks.yaml` beside a toolkit's file. Raises ToolkitError where there are none, or none is proven."""
    proven = written_beside(toolkit, domain, backend)
    if not proven.tasks:
        why = "; ".join(f"{name} ({gate}) {proven.why.get(name, '')}".rstrip() for name, gate in proven.dropped.items())
        raise ToolkitError(f"{tasks_file(toolkit)}: no task passes its gates: {why}")
    return proven


def written_beside(toolkit: str | Path, domain: Domain, backend: BackendName | None = None) -> Proven:
    """What becomes of the tasks in `tasks.yaml` beside a toolkit's file. Raises ToolkitError where there is no such file."""
    path = tasks_file(toolkit)
    if not path.is_file():
        raise ToolkitError(f"{path}: there is no such file; write tasks for {domain.name} in it, or generate a pack with `--tasks`")
    return proven_tasks(path, domain, backend)


def tasks_file(toolkit: str | Path) -> Path:
    """Where the tasks of a toolkit's file are looked for."""
    return Path(str(toolkit).rpartition(".py")[0] + ".py").parent / TASKS


def proven_tasks(path: Path, domain: Domain, backend: BackendName | None = None) -> Proven:
    """The tasks of a file, from the cache folder where they were proven before. Raises BlueprintError."""
    files = [*([path] if path.is_file() else []), *sorted(path.parent.glob("*checks.py"))]
    trusted = domain.toolkit is not None and domain.toolkit.trusted
    texts = [str(file.read_bytes()) for file in files]
    key = "\n".join([code_version(), domain.digest, domain.split, str(trusted), str(backend), path.name, *texts])

    def prove() -> bytes:
        opened = open_backend(domain, backend)
        try:
            return pickle.dumps(prove_tasks(path, domain, opened))
        finally:
            opened.close()

    proven: Proven = pickle.loads(remembered("toolkit-tasks", key, prove))
    return proven
