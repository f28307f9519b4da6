"""A domain: one compiled, self-contained subdomain with its tables, tools, policies and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from synthtools.blueprint import Blueprint
from synthtools.surface import Surface
from synthtools.tool import Tool


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: str
    """`id`, `state`, or the field's kind."""
    type: str
    """`TEXT` or `INTEGER`."""
    nullable: bool = False
    ref: str = ""
    """The table that it refers to."""
    choices: tuple[str, ...] = ()
    incidental: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One entity's rows."""

    name: str
    columns: Mapping[str, Column]
    prefix: str
    """Of generated ids."""
    digits: int
    """Of generated ids; 0: ids are codes and no new ones are made."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """What is true of every row at the start and after every call."""

    name: str
    """`stay.berth_free`."""
    table: str
    error: str
    message: str
    broken: str
    """Query over the whole world: the ids of rows that break it."""
    touched: Mapping[str, str]
    """Table written → condition over row `t` that limits `broken` to rows near `:touched` rowids; empty: look at all."""
    reads: frozenset[str]
    """`table.column` on which it depends."""
    states: tuple[str, ...]
    """The states in which a row counts; empty: any."""
    enforced: bool
    """Whether a call that would break it is refused; if not, tools keep it by themselves and the audit checks."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules text and its machine check."""

    name: str
    text: str
    broken_when: str
    tempts: str


@dataclass(frozen=True, slots=True)
class ToolkitCode:
    """The Python behind a toolkit's tools: a person's own class, in place of compiled SQL."""

    entry: str
    """`retail.py:Retail`: the file and the class in it."""
    files: Mapping[str, bytes]
    """Relative path → content: the file itself and what it reads from its folder."""
    checks: Mapping[str, bytes] = field(default_factory=dict)
    """File → content of its tasks' own checks, which decide on this machine and never go where the tools run."""
    folder: str = ""
    """Where the files lie already, as inside a container; their contents are then not carried along. Empty: they are written where they run."""
    trusted: bool = False
    """Whether it may run in this process; if not, only in a container."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain is one environment."""

    name: str
    field: str
    split: str
    """`train`, `validation` or `test`: the field's, for good."""
    about: str
    today: str
    """ISO day on which every episode begins."""
    now: str
    """ISO date-time at which every episode begins."""
    blueprint: Blueprint
    surface: Surface
    ddl: tuple[str, ...]
    tables: Mapping[str, Table]
    """Parents before children."""
    tools: Mapping[str, Tool]
    """By the name that the agent sees."""
    invariants: tuple[Invariant, ...]
    policies: Mapping[str, Policy]
    digest: str
    """Of the blueprint's text, the surface and the compiler's version."""
    source: str
    """The blueprint's text."""
    toolkit: ToolkitCode | None = None
    """What runs the tools, where they are a person's own Python."""

    def tool(self, key: str) -> Tool:
        """The tool by its name in the blueprint's language."""
        return next(tool for tool in self.tools.values() if tool.key == key)
