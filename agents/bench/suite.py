"""Suites: frozen, versioned sets of tasks of held-out fields, made from a seed on this machine and known by their digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.bench.label import Label, tasks_digest
from agents.settings import FileFault, read_as, read_yaml
from synthtools.cache import code_version, remembered
from synthtools.catalog import SPLITS, catalog
from synthtools.codec import task_from_json, task_to_json
from synthtools.domain import Domain
from synthtools.generate import generate_pack
from synthtools.load import load_domain
from synthtools.nearest import likely
from synthtools.replacing import replacing
from synthtools.sandbox.source import source_digest
from synthtools.seed import derive
from synthtools.task import Task

FOLDER = Path(__file__).parent / "suites"
Progress = Callable[[int, int], None]
Difficulty = Annotated[int, Field(ge=1, le=10)]


class SuiteError(ValueError):
    """A suite that is not there, not as it should be, or no longer what it was; the message is one line for people."""


class Rule(BaseModel):
    """So many tasks of a kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    count: Annotated[int, Field(ge=1)]
    difficulty: tuple[Difficulty, Difficulty] = (1, 10)
    """From and to, both in it."""
    refused: bool | None = None
    """Whether the right end is a refusal; left out: either."""

    def fits(self, task: Task) -> bool:
        """Whether a task is of these."""
        refused = all(alternative.outcome != "done" for alternative in task.goal.alternatives)
        hard = self.difficulty[0] <= task.difficulty <= self.difficulty[1]
        return task.kind == self.kind and hard and self.refused in (None, refused)


class Pool(BaseModel):
    """What is chosen from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(ge=0)]
    tasks_per_domain: Annotated[int, Field(ge=1)]


class Variant(BaseModel):
    """The suite on the fields of one split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domains: Annotated[tuple[str, ...], Field(min_length=1)]
    digest: str
    """SHA-256 of its tasks; empty until it is built."""


class Definition(BaseModel):
    """A suite's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    version: Annotated[int, Field(ge=1)]
    about: str
    """What it measures."""
    canary: Annotated[str, Field(min_length=20)]
    """A text that stands nowhere else, by which a model that has read the suite can be told."""
    pool: Pool
    order: Literal["balanced", "hardest"]
    """Which of those that fit are taken: in turns of every domain and difficulty, or of every domain the most difficult."""
    choose: Annotated[tuple[Rule, ...], Field(min_length=1)]
    splits: Annotated[dict[str, Variant], Field(min_length=1)]

    @property
    def tasks(self) -> int:
        """How many there are."""
        return sum(rule.count for rule in self.choose)


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's tasks, with the domains they are of."""

    label: Label
    seed: int
    domains: Mapping[str, Domain]
    tasks: tuple[Task, ...]


def suites() -> dict[str, Path]:
    """Name → file of the suites that come with this package."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def suites_there(name: str) -> str:
    """The suite that a name was probably meant to be, and those that there are."""
    return f"{likely(name, suites())} there are {', '.join(suites())}".strip()


def suite_file(name: str) -> Path:
    """The file of a suite by its name, or a file of one's own. Raises SuiteError."""
    path = suites().get(name, Path(name))
    if not path.is_file():
        raise SuiteError(f"{name}: no such suite; {suites_there(name)}, or give a file of your own (.yaml)")
    return path


def read_suite(path: Path) -> Definition:
    """A suite's definition. Raises SuiteError for a file that holds none, with its first fault."""
    try:
        found = read_as(Definition, read_yaml(path), path)
    except FileFault as fault:
        raise SuiteError(str(fault)) from None
    for split, variant in found.splits.items():
        strangers = [name for name in variant.domains if name not in catalog() or catalog()[name].split != split]
        if split not in SPLITS or strangers:
            wrong = f"{strangers[0]} is no domain of the {split} split" if split in SPLITS else f"there is no split {split!r}"
            raise SuiteError(f"{path}: splits.{split}: {wrong}; `synthtools catalog` lists them")
    return found


def load_suite(name: str, split: str = "test", *, workers: int = 1, progress: Progress | None = None) -> Suite:
    """The tasks of a suite, from the cache or made anew. Raises SuiteError where they are no longer those of its digest."""
    definition = read_suite(suite_file(name))
    if split not in definition.splits:
        raise SuiteError(f"{name}: has no variant of the {split} split; there are {', '.join(definition.splits)}")
    suite = make_suite(definition, split, workers=workers, progress=progress)
    wanted = definition.splits[split].digest
    if suite.label.digest != wanted:
        raise SuiteError(
            f"{name} {definition.version}: the code that makes its tasks has changed: their digest is {suite.label.digest[:12]}, "
            f"not {wanted[:12] or 'known'}; `synthtools suite build {name}` makes a new version"
        )
    return suite


def make_suite(definition: Definition, split: str, *, workers: int = 1, progress: Progress | None = None) -> Suite:
    """The tasks that a definition comes to with the code of now, whatever its digest says. Raises SuiteError where the pool is too small."""
    names = definition.splits[split].domains
    domains = {name: load_domain(name) for name in names}
    rules = definition.model_dump_json(include={"pool", "order", "choose"})
    code = "/".join((source_digest(), code_version(), *(domain.digest for domain in domains.values())))
    lines = remembered("suites", f"{rules}/{code}", lambda: _made(definition, names, workers, progress or _untold)).splitlines()
    tasks = tuple(map(task_from_json, lines))
    label = Label(definition.name, definition.version, tasks_digest(tasks), split, definition.canary)
    return Suite(label, definition.pool.seed, domains, tasks)


def _untold(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def _made(definition: Definition, names: Sequence[str], workers: int, progress: Progress) -> bytes:
    each, done = definition.pool.tasks_per_domain, 0

    def tell(_domain: str, _tasks: int) -> None:
        nonlocal done
        done += each
        progress(done, each * len(names))

    progress(0, each * len(names))
    pool = generate_pack(names, each, seed=definition.pool.seed, workers=workers, progress=tell)
    return b"".join(task_to_json(task) + b"\n" for task in choose(pool.tasks, definition))


def choose(pool: Sequence[Task], definition: Definition) -> list[Task]:
    """The tasks that the rules take, one after another, in the pool's order. Raises SuiteError where there are too few."""
    taken: set[str] = set()
    for rule in definition.choose:
        fitting = [task for task in pool if task.id not in taken and rule.fits(task)]
        if len(fitting) < rule.count:
            raise SuiteError(
                f"{definition.name}: the pool has {len(fitting)} tasks of {rule.model_dump_json(exclude_none=True)}; "
                "raise pool.tasks_per_domain, or ask for fewer"
            )
        taken |= {task.id for task in _ranked(fitting, definition)[: rule.count]}
    return [task for task in pool if task.id in taken]


def _ranked(tasks: Iterable[Task], definition: Definition) -> list[Task]:
    """Taken in turns from every group, each in drawn order; the groups are the domains, and of a balanced suite their difficulties too."""
    seed, hardest = definition.pool.seed, definition.order == "hardest"
    groups: dict[str, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: (-task.difficulty if hardest else 0, derive(seed, "suite", task.id))):
        groups.setdefault(task.domain if hardest else f"{task.domain}/{task.difficulty}", []).append(task)
    turns = [(number, derive(seed, "turn", name), task) for name, group in groups.items() for number, task in enumerate(group)]
    return [task for _, _, task in sorted(turns, key=lambda turn: turn[:2])]


def rebuilt(path: Path, suites: Mapping[str, Suite]) -> tuple[Definition, bytes]:
    """The file with the digests of these variants in it, of a new version where it had others; and what it then defines.

    All else in the file stays as it is written. Raises SuiteError where they cannot be put in so.
    """
    text, definition = path.read_text(encoding="utf-8"), read_suite(path)
    splits = {
        split: variant.model_copy(update={"digest": suites[split].label.digest} if split in suites else {})
        for split, variant in definition.splits.items()
    }
    other = any(definition.splits[split].digest not in ("", suite.label.digest) for split, suite in suites.items())
    wanted = definition.model_copy(update={"splits": splits, "version": definition.version + other})
    new: dict[tuple[str, ...], str] = {("version",): str(wanted.version)} if other else {}
    new |= {("splits", split, "digest"): variant.digest for split, variant in splits.items() if variant != definition.splits[split]}
    text = _with_values(text, new)
    try:
        found = Definition.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError):
        found = definition
    if found != wanted:
        digests = ", ".join(f"{value} as {'.'.join(place)}" for place, value in new.items())
        raise SuiteError(f"{path}: what it takes cannot be written into it as it is laid out; write by hand: {digests}")
    return found, text.encode()


def _with_values(text: str, new: Mapping[tuple[str, ...], str]) -> str:
    """YAML with other plain values in these places, as far as they are there."""
    root = yaml.compose(text)
    spots = [(spot, value) for keys, value in new.items() if (spot := _spot(root, keys)) is not None]
    for (start, end), value in sorted(spots, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _spot(node: Any, keys: Sequence[str]) -> tuple[int, int] | None:
    """Where in the text the value under these keys begins and ends; None where there is none."""
    for name in keys:
        node = next((value for key, value in node.value if key.value == name), None) if isinstance(node, yaml.MappingNode) else None
    return None if node is None else (node.start_mark.index, node.end_mark.index)


def write_suite(path: Path, text: bytes) -> None:
    """Write a suite's file, whole or not at all."""
    with replacing(path) as file:
        file.write(text)
