"""What the files of a pack may hold: the manifest, and one line of tasks. Read strictly: a damaged pack is told where it is damaged."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from synthtools.surface import Surface

FORMAT = 1
Split = Literal["train", "validation", "test"]
Count = Annotated[int, Field(ge=0)]
Said = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _surface(values: dict[str, Any]) -> dict[str, Any]:
    """The values, where they are those of a surface."""
    kinds = {name: type(value) for name, value in asdict(Surface()).items()}
    if {name: type(value) for name, value in values.items()} != kinds:
        raise ValueError(f"not the {len(kinds)} settings of a surface: {', '.join(kinds)}")
    return values


class ToolkitLine(_Strict):
    """What it says of a domain that is a person's own Python."""

    entry: str
    files: dict[str, str]
    """Path → SHA-256."""
    checks: dict[str, str]
    """The same of its tasks' own checks."""
    description: str


class DomainLine(_Strict):
    """What the manifest says of a domain."""

    digest: str
    field: str
    split: Split
    surface: Annotated[dict[str, Any], AfterValidator(_surface)]
    toolkit: ToolkitLine | None = None


class Manifest(_Strict):
    """What made a pack, and what is in it."""

    format: int
    digest: str
    seed: Count
    tasks: Count
    dropped: dict[str, dict[str, Count]]
    domains: dict[Name, DomainLine]
    versions: dict[str, str]


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


class StartLine(_Strict):
    """A snapshot."""

    domain: str
    world: Count
    setup: list[str]
    delta: Annotated[str, AfterValidator(_base64)] = ""
    now: str = ""
    counters: list[tuple[str, Count]] = []
    schedule: list[tuple[str, Count]] = []


class StepLine(_Strict):
    """A call of the solution."""

    name: str
    arguments: dict[str, Any]


Cells = dict[str, str | int | float | None]


class ChangeLine(_Strict):
    """A row's net change."""

    table: str
    op: Literal["insert", "update", "delete"]
    key: str
    before: Cells
    after: Cells


class AnswerLine(_Strict):
    """A typed answer."""

    type: Literal["number", "money", "date", "id", "ids", "word"]
    value: str | int | float | list[str]


class AlternativeLine(_Strict):
    """One sound way to end."""

    changes: list[ChangeLine]
    outcome: Literal["done", "impossible", "not_allowed"]
    about: str
    answer: AnswerLine | None = None
    check: str = ""


class TopicLine(_Strict):
    """What a question about a fact is known by."""

    sort: str
    words: list[str]


class FactLine(_Strict):
    """Something that only the user knows."""

    slot: str
    label: Said
    topic: TopicLine
    said: Said
    given: Literal["at_once", "when_pressed", "corrected"]
    wrong: str


class DecisionLine(_Strict):
    """What the user says when asked whether to go ahead."""

    go: bool
    said: Said
    words: list[str] = []


class DoingLine(_Strict):
    """What a request to do something is known by."""

    verbs: list[str]
    objects: list[str]
    ids: list[str]


class DeedLine(_Strict):
    """Something that the user does themselves."""

    tool: str
    arguments: dict[str, Any]
    doing: DoingLine
    label: str
    able: bool


class UserLine(_Strict):
    """The person who asked."""

    manner: str
    seed: Count
    goal: str
    patience: Annotated[int, Field(ge=1)]
    facts: list[FactLine]
    decision: DecisionLine | None
    deeds: list[DeedLine] = []


class RuleLine(_Strict):
    """What must come before what."""

    kind: Literal["ask_first", "identity_first", "customer_acts"]
    text: str
    slots: list[str]
    shown: list[str]


class TaskLine(_Strict):
    """One task."""

    id: str
    domain: str
    field: str
    split: Split
    kind: str
    difficulty: int
    request: str
    start: StartLine
    withheld: list[str]
    twin: str
    skeleton: str
    said: dict[str, str]
    solution: Annotated[list[StepLine], Field(min_length=1)]
    goal: Annotated[list[AlternativeLine], Field(min_length=1)]
    user: UserLine | None = None
    rules: list[RuleLine] = []
    faults: list[dict[str, Any]] = []
    """Read by `synthtools.fault`."""


def fault_of(error: ValidationError) -> str:
    """The first thing that is wrong, with its place, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return " ".join(f"{place}: {first['msg']}".split())
