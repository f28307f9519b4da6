"""What is known of a toolkit without running it: plain data, which may come from hostile code, and the Domain made from it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from synthtools.blueprint import Blueprint
from synthtools.domain import Column, Domain, Policy, Table, ToolkitCode
from synthtools.surface import Surface
from synthtools.tool import NO_PROGRAM, RESERVED, Origin, Tool
from synthtools.toolkit.digest import files_digest
from synthtools.toolkit.fault import ToolkitError, one_line

MAX_BYTES = 8 * 2**20
"""Of a whole description as JSON."""
_DEPTH = 12
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Snake = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=400)]
V = TypeVar("V")


class Strict(BaseModel):
    """Unknown keys are errors and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Schema(Strict):
    """A JSON Schema of the kinds that tools use, so that nothing which reads it meets anything else."""

    type: Literal["string", "integer", "number", "boolean", "array", "object", "null"] | None = None
    description: Annotated[str, StringConstraints(max_length=4000)] = ""
    enum: Annotated[list[str | int | float | bool | None], Field(min_length=1, max_length=500)] | None = None
    const: str | int | float | bool | None = None
    default: Any = None
    format: Literal["date", "date-time", "time"] | None = None
    pattern: Annotated[str, StringConstraints(max_length=1000)] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusiveMinimum: int | float | None = None  # noqa: N815 - JSON Schema's names
    exclusiveMaximum: int | float | None = None  # noqa: N815
    multipleOf: int | float | None = None  # noqa: N815
    minLength: Annotated[int, Field(ge=0)] | None = None  # noqa: N815
    maxLength: Annotated[int, Field(ge=0)] | None = None  # noqa: N815
    minItems: Annotated[int, Field(ge=0, le=1000)] | None = None  # noqa: N815
    maxItems: Annotated[int, Field(ge=0)] | None = None  # noqa: N815
    minProperties: Annotated[int, Field(ge=0)] | None = None  # noqa: N815
    maxProperties: Annotated[int, Field(ge=0)] | None = None  # noqa: N815
    uniqueItems: bool | None = None  # noqa: N815
    items: Schema | None = None
    properties: Annotated[dict[Path, Schema], Field(max_length=100)] | None = None
    required: Annotated[list[Path], Field(max_length=100)] | None = None
    additionalProperties: Schema | bool | None = None  # noqa: N815
    anyOf: Annotated[list[Schema], Field(min_length=1, max_length=20)] | None = None  # noqa: N815


class Parameters(Strict):
    """The schema of a tool's arguments."""

    type: Literal["object"]
    properties: Annotated[dict[Identifier, Schema], Field(max_length=60)]
    required: Annotated[list[Identifier], Field(max_length=60)]
    additionalProperties: Literal[False]  # noqa: N815

    @field_validator("properties")
    @classmethod
    def one_type_each(cls, value: dict[str, Schema]) -> dict[str, Schema]:
        """Each parameter has one type."""
        untyped = [name for name, schema in value.items() if schema.type in (None, "null")]
        if untyped:
            raise ValueError(f"the parameter {untyped[0]!r} has no type")
        return value


class ToolDescription(Strict):
    """One tool."""

    name: Identifier
    description: Line
    parameters: Parameters
    errors: Annotated[dict[Snake, Line], Field(max_length=60)]
    read_only: bool


class ColumnDescription(Strict):
    """One column of a table."""

    name: Path
    type: Literal["TEXT", "INTEGER", "REAL"]
    nullable: bool
    ref: Annotated[str, StringConstraints(max_length=400)]
    samples: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=24)]


class TableDescription(Strict):
    """One table of the state."""

    name: Path
    columns: Annotated[list[ColumnDescription], Field(max_length=300)]
    prefix: Annotated[str, StringConstraints(max_length=60)]
    digits: Annotated[int, Field(ge=0, le=18)]
    rows: Annotated[int, Field(ge=0)]


class Description(Strict):
    """A toolkit, described."""

    name: Snake
    field: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    about: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    today: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    worlds: Annotated[int, Field(ge=1, le=1000)]
    policies: Annotated[dict[Snake, Annotated[str, StringConstraints(min_length=1, max_length=65_536)]], Field(max_length=60)]
    tools: Annotated[list[ToolDescription], Field(min_length=1, max_length=200)]
    tables: Annotated[list[TableDescription], Field(max_length=500)]

    @field_validator("today")
    @classmethod
    def a_day(cls, value: str) -> str:
        """A day that exists."""
        datetime.date.fromisoformat(value)
        return value

    @field_validator("tools")
    @classmethod
    def names_once(cls, value: list[ToolDescription]) -> list[ToolDescription]:
        """No name twice, and none of the environment's own."""
        names = [tool.name for tool in value]
        taken = sorted({name for name in names if names.count(name) > 1 or name in RESERVED})
        if taken:
            raise ValueError(f"the tool name {taken[0]!r} is taken")
        return value


class Rest(dict[str, V]):
    """What is known, and for any other name what stands for the unknown: state may grow tables and columns that no start shows."""

    def __init__(self, known: Mapping[str, V], unknown: V) -> None:
        super().__init__(known)
        self.unknown = unknown

    def __missing__(self, _name: str) -> V:
        return self.unknown

    def __reduce__(self) -> tuple[Any, ...]:
        return Rest, (dict(self), self.unknown)


def toolkit_domain(description: Mapping[str, Any], code: ToolkitCode, split: str) -> Domain:
    """The domain of a described toolkit. Raises ToolkitError for anything that is not a sound description."""
    told, text = _read(description, code)
    policies = {name: Policy(name, words, "", "") for name, words in told.policies.items()}
    tools = {tool.name: _tool(tool, told.tables) for tool in told.tools}
    blueprint = Blueprint(field=told.field, subdomain=told.name, about=told.about[:400], today=told.today, entities={})
    return Domain(
        name=told.name,
        field=told.field,
        split=split,
        about=told.about,
        today=told.today,
        now=f"{told.today}T09:00",
        blueprint=blueprint,
        surface=Surface(),
        ddl=(),
        tables=Rest({table.name: _table(table) for table in told.tables}, _UNKNOWN_TABLE),
        tools=tools,
        invariants=(),
        policies=policies,
        digest=files_digest(code),
        source=text,
        toolkit=code,
    )


def blank_domain(code: ToolkitCode) -> Domain:
    """A domain of which nothing is known but its code: for asking, in a container, what the code says of itself."""
    about = {"name": "toolkit", "field": "Custom", "about": "A toolkit.", "today": "2026-01-05", "worlds": 1, "policies": {}, "tables": []}
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    tool = {"name": "none", "description": "None.", "parameters": nothing, "errors": {}, "read_only": True}
    return toolkit_domain({**about, "tools": [tool]}, code, "train")


def _read(description: Mapping[str, Any], code: ToolkitCode) -> tuple[Description, str]:
    try:
        text = orjson.dumps(description, option=orjson.OPT_SORT_KEYS)
        if len(text) > MAX_BYTES or _depth(description) > 3 * _DEPTH:
            raise ToolkitError(f"{code.entry}: its description is too large ({len(text)} bytes)")
        return Description.model_validate(orjson.loads(text)), text.decode()
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part)[:60] for part in detail["loc"])
        raise ToolkitError(f"{code.entry}: {place}: {one_line(detail['msg'].removeprefix('Value error, '))}") from None
    except (TypeError, RecursionError) as error:
        raise ToolkitError(f"{code.entry}: its description is no plain data: {one_line(str(error))}") from None


def _depth(value: Any) -> int:
    """How deep data is nested; raises RecursionError far beyond what is allowed."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _column(column: ColumnDescription) -> Column:
    kind = "id" if column.name == "id" else {"TEXT": "string", "INTEGER": "int", "REAL": "number"}[column.type]
    return Column(column.name, kind, column.type, column.nullable, column.ref, tuple(column.samples))


_UNKNOWN_COLUMN = Column("", "string", "TEXT", nullable=True)
_UNKNOWN_TABLE = Table("", Rest({"id": Column("id", "id", "TEXT")}, _UNKNOWN_COLUMN), "", 0)


def _table(table: TableDescription) -> Table:
    return Table(table.name, Rest({c.name: _column(c) for c in table.columns}, _UNKNOWN_COLUMN), table.prefix, table.digits)


def _tool(tool: ToolDescription, tables: list[TableDescription]) -> Tool:
    parameters = tool.parameters.model_dump(mode="json", exclude_unset=True)
    writes = frozenset() if tool.read_only else frozenset({f"toolkit.{tool.name}"})
    refers = {name: table for name in parameters["properties"] if (table := referred(name, tables))}
    return Tool(tool.name, tool.name, tool.description, parameters, dict(tool.errors), NO_PROGRAM, Origin("hand"), writes=writes, refers=refers)


def referred(parameter: str, tables: list[TableDescription]) -> str:
    """The table whose key a parameter seems to take: `order_id`, of `orders` or `db.order`; or where the key is a column of that name."""
    stem = parameter.removesuffix("_id").removesuffix("_ids")
    if stem != parameter:
        for table in tables:
            last = table.name.rpartition(".")[2]
            if last in (stem, f"{stem}s", f"{stem}es", f"{stem[:-1]}ies"):
                return table.name
    return next((t.name for t in tables for c in t.columns if c.name == parameter and c.ref == t.name), "")
