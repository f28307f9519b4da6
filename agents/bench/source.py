"""Tasks by what people call them: a suite's name, a suite's file, or the folder of a pack or a run."""

from __future__ import annotations

from pathlib import Path

from agents.bench.label import Label, tasks_digest
from agents.bench.suite import Suite, SuiteError, load_suite, suites, suites_there
from agents.choice import Choice, choose_tasks
from synthtools.pack import load_pack


def load_source(name: str, split: str = "test", *, trust: bool = False) -> Suite:
    """The tasks of one split. `trust`: toolkits in a pack run in this process. Raises SuiteError, PackError or ChoiceError, of one line."""
    if is_suite(name):
        return load_suite(name, split)
    if not Path(name).is_dir():
        raise SuiteError(f"{name}: no such suite or folder; {suites_there(name)}, or give a file (.yaml), a pack or a run")
    return load_packed(Path(name), split, trust=trust)


def is_suite(name: str) -> bool:
    """Whether this names a suite or its file, and no folder."""
    return name in suites() or name.endswith((".yaml", ".yml"))


def load_packed(folder: Path, split: str, *, trust: bool = False) -> Suite:
    """A pack's tasks of one split (`all`: of every), as a suite without a version. Raises PackError or ChoiceError."""
    pack = load_pack(folder, trust=trust)
    tasks = tuple(choose_tasks(pack, Choice(split)))
    domains = {name: domain for name, domain in pack.domains.items() if any(task.domain == name for task in tasks)}
    return Suite(Label(folder.resolve().name, 0, tasks_digest(tasks), split), pack.seed, domains, tasks)
