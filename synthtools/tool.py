"""A tool: what the agent sees of it, and the guarded SQL transaction that it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scalar = str | int | float | None
"""A cell of a world."""

ErrorKind = Literal[
    "invalid_json",
    "too_large",
    "unknown_tool",
    "invalid_arguments",
    "missing_argument",
    "unexpected_argument",
    "invalid_argument",
    "refused",
    "limit",
    "failed",
    "episode_done",
    "timeout",
    "rate_limited",
    "unavailable",
    "outdated",
]
"""Whose rule the call broke: the protocol's, the schema's, the tool's own (`refused`), a bound (`limit`); or the tool `failed` on it.

The last four are faults of the service, by a task's schedule; `outdated`: the tool is not as its description says.
"""
FAULTS: frozenset[ErrorKind] = frozenset({"timeout", "rate_limited", "unavailable", "outdated"})
"""Errors that are no mistake of the agent's."""


RESERVED = ("finish", "respond", "wait")
"""Names of the environment's own tools, which no domain's tool can have."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call: a tool's name and its arguments, as a mapping or as the raw JSON text that was received."""

    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to. An agent's mistake is a result with an error; the world is then unchanged."""

    content: str
    """Canonical JSON text, as the agent sees it."""
    error: ErrorKind | None = None
    """None when the call succeeded."""
    reason: str = ""
    """The documented error code of the tool, when it refused."""
    unanswered: bool = field(default=False, compare=False)
    """Of a timeout: the call was carried out, and only its answer was lost. No agent is shown it, and no record holds it."""

    @property
    def carried_out(self) -> bool:
        """Whether the call did what it does, answered or not."""
        return self.error is None or self.unanswered

    @property
    def mistaken(self) -> bool:
        """Whether the call came to an error that is the agent's own, and no fault of the service."""
        return self.error is not None and self.error not in FAULTS


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition over arguments and `let` rows; the first that is not true ends the call with its error."""

    require: str
    error: str
    message: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class Let:
    """A one-row query whose columns later statements use as `:name__column`."""

    name: str
    sql: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Returns:
    """One query of a result: a list of objects or one object, with how each column is shown."""

    sql: str
    columns: tuple[str, ...]
    many: bool
    shown: tuple[str, ...]
    """Per column: `""` as it is, `money` or `truth`."""
    origins: tuple[tuple[str, str] | None, ...]
    """Per column: the (table, column) that it is, if it is one."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a tool does. SQL here is bound: `:x.y` has become `:x__y`."""

    lets: tuple[Let, ...]
    guards: tuple[Guard, ...]
    guard_sql: str
    """One query giving the number of the first guard that is not true, or -1; empty when there is none."""
    for_each: Let | None
    effects: tuple[str, ...]
    returns: Mapping[str, Returns]
    """Result key → query; the single key `""` means that the query is the whole result."""
    checks: tuple[str, ...] = ()
    """Names of the invariants that the effects could break, checked on the touched rows at the call's end."""
    new_ids: bool = False
    page: tuple[str, str] = ("", "")
    """(style, parameter) of a paged list; empty when not paged."""


NO_PROGRAM = Program((), (), "", None, (), {})
"""Of a tool that is carried out otherwise than by SQL."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tool comes from: `hand`, or the compiled kind and what it is about."""

    kind: Literal["hand", "search", "get", "create", "update", "transition", "count"]
    entity: str = ""
    state: str = ""
    """The state a transition enters."""
    fields: tuple[str, ...] = ()
    """The fields that a compiled tool filters by or writes, in parameter order."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of a domain."""

    name: str
    """As the agent sees it."""
    key: str
    """Its name in the blueprint's language, whatever the surface calls it."""
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments object."""
    errors: Mapping[str, str]
    """Documented error code → message template."""
    program: Program
    origin: Origin
    reads: frozenset[str] = frozenset()
    """`table.column` read, as SQLite reports it."""
    writes: frozenset[str] = frozenset()
    """`table.column` updated, `+table` inserted into, `-table` deleted from."""
    money: frozenset[str] = frozenset()
    """Arguments that are amounts of money."""
    refers: Mapping[str, str] = field(default_factory=dict)
    """Argument → the entity whose id it takes."""
    like: Mapping[str, str] = field(default_factory=dict)
    """Argument → the `entity.field` whose values it resembles."""
    ensures: tuple[str, ...] = ()

    @property
    def read_only(self) -> bool:
        """Whether no call of it can change the world."""
        return not self.writes

    def schema(self) -> dict[str, Any]:
        """The tool in the form chat models take (`{"type": "function", …}`); a fresh dict at each call."""
        return function_schema(self.name, self.description, self.parameters)


def function_schema(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the form chat models take."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": _copy(parameters)}}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value
