"""Episodes for the verifier's benchmark: a plan of calls that can be altered, carried out on a backend, and the world it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from synthtools.backend import LocalBackend
from synthtools.domain import Domain
from synthtools.finish import parse_finish
from synthtools.goal import Changes, Ending
from synthtools.task import Derived, Ref, Task, derive_value
from synthtools.tool import Tool, ToolCall, ToolResult

Rows = Mapping[str, frozenset[tuple[Any, ...]]]
"""Table → all of its rows, columns in the table's order."""


@dataclass(frozen=True, slots=True)
class Act:
    """One call of a plan. A Ref in its arguments names another act's label, so that acts can be moved, added and left out."""

    label: int
    name: str
    arguments: Mapping[str, Any]
    as_text: bool = False
    """Hand the arguments over as JSON text."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in words, and the value that whoever wrote it says by them."""

    words: Any
    value: Any
    """As a reference answers it; None where the words say no value, or several."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls in order, and the arguments of `finish`; None: the episode is never ended."""

    acts: tuple[Act, ...]
    ending: Mapping[str, Any] | None

    def with_ending(self, **changed: Any) -> Plan:
        """The same calls with parts of the ending changed."""
        return Plan(self.acts, {**(self.ending or {}), **changed})

    def inserted(self, position: int, *acts: Act) -> Plan:
        """The plan with more acts at a position."""
        return Plan((*self.acts[:position], *acts, *self.acts[position:]), self.ending)

    def without(self, labels: Sequence[int]) -> Plan:
        """The plan without some acts."""
        return Plan(tuple(a for a in self.acts if a.label not in labels), self.ending)

    def replaced(self, label: int, **arguments: Any) -> Plan:
        """The plan with some arguments of one act changed."""
        return Plan(tuple(replace(a, arguments={**a.arguments, **arguments}) if a.label == label else a for a in self.acts), self.ending)

    def mapped(self, change: Callable[[Any], Any]) -> Plan:
        """The plan with every argument, also of the ending, passed through a function."""
        acts = tuple(replace(a, arguments={k: change(v) for k, v in a.arguments.items()}) for a in self.acts)
        return Plan(acts, None if self.ending is None else {k: change(v) for k, v in self.ending.items()})

    @property
    def fresh_label(self) -> int:
        """A label that no act has."""
        return max((a.label for a in self.acts), default=0) + 1000


@dataclass(frozen=True, slots=True)
class Played:
    """What carrying out a plan came to."""

    calls: tuple[tuple[int, ToolCall, ToolResult], ...]
    """(label, call, result) of every act that could be made."""
    values: Mapping[int, Any]
    """Label → the result's JSON."""
    changes: Changes
    ending: Ending | None
    says: Any
    """The value that its answer says."""
    rows: Rows
    """The whole world at the end."""

    @property
    def failed(self) -> bool:
        """Whether any call came back with an error."""
        return any(result.error is not None for _, _, result in self.calls)

    @property
    def arguments(self) -> dict[int, Mapping[str, Any]]:
        """Label → the arguments as they were given."""
        return {label: orjson.loads(c.arguments) if isinstance(c.arguments, str) else c.arguments for label, c, _ in self.calls}

    def shown(self) -> list[str]:
        """The calls, one line each, for a person."""
        lines = [f"{c.name}({c.arguments}) {'' if r.error is None else '! ' + (r.reason or r.error)}".strip() for _, c, r in self.calls]
        return [*lines, f"finish {self.ending}"]


def plan_of(task: Task) -> Plan:
    """A task's reference solution as a plan."""
    acts = tuple(Act(number, step.name, dict(step.arguments)) for number, step in enumerate(task.solution[:-1]))
    return Plan(acts, dict(task.solution[-1].arguments))


def resolved(argument: Any, values: Mapping[int, Any]) -> Any:
    """An argument with its references followed. Raises LookupError where a result lacks what is referred to."""
    if isinstance(argument, Ref):
        value = values[argument.step]
        for part in argument.path:
            try:
                value = value[part]
            except TypeError:
                raise LookupError(f"no {argument.path} in result {argument.step}") from None
        return value
    if isinstance(argument, Derived):
        return derive_value(Derived(argument.sql, {k: resolved(v, values) for k, v in argument.uses.items()}), ())
    return [resolved(v, values) for v in argument] if isinstance(argument, list | tuple) else argument


def relabelled(plan: Plan, by: int) -> Plan:
    """The plan with all of its labels raised, so that it can stand beside another."""

    def raised(argument: Any) -> Any:
        if isinstance(argument, Ref):
            return Ref(argument.step + by, argument.path)
        if isinstance(argument, Derived):
            return Derived(argument.sql, {k: raised(v) for k, v in argument.uses.items()})
        return [raised(v) for v in argument] if isinstance(argument, list | tuple) else argument

    moved = plan.mapped(raised)
    return Plan(tuple(replace(a, label=a.label + by) for a in moved.acts), moved.ending)


def references(argument: Any) -> Iterator[Ref]:
    """Every Ref inside an argument."""
    if isinstance(argument, Ref):
        yield argument
    parts = argument.uses.values() if isinstance(argument, Derived) else argument if isinstance(argument, list | tuple) else ()
    for part in parts:
        yield from references(part)


@dataclass(slots=True)
class Stage:
    """One domain's backend, on which plans are carried out."""

    domain: Domain
    backend: LocalBackend
    starts: dict[Any, Rows] = field(default_factory=dict)

    def start_rows(self, task: Task) -> Rows:
        """The whole world at a task's start."""
        key = (task.start.world, task.start.setup)
        if key not in self.starts:
            self.backend.reset(task.start)
            self.starts[key] = self.rows()
        return self.starts[key]

    def rows(self) -> Rows:
        """The whole world as it is now, read row by row."""
        connection = self.backend.world.connection
        found = {}
        for table in self.domain.tables.values():
            names = ", ".join(f'"{name}"' for name in table.columns)
            found[table.name] = frozenset(connection.execute(f'SELECT {names} FROM "{table.name}"').fetchall())
        return found

    def play(self, task: Task, plan: Plan) -> Played:
        """Carry out a plan from a task's start; an act that refers to what is not there is left out."""
        self.backend.reset(task.start)
        calls: list[tuple[int, ToolCall, ToolResult]] = []
        values: dict[int, Any] = {}
        for act in plan.acts:
            try:
                arguments: Any = {name: resolved(value, values) for name, value in act.arguments.items()}
            except LookupError:
                continue
            call = ToolCall(act.name, orjson.dumps(arguments).decode() if act.as_text else arguments)
            result = self._call(task, call)
            calls.append((act.label, call, result))
            values[act.label] = orjson.loads(result.content)
        said = (plan.ending or {}).get("answer")
        ending = self._ending(plan, values)
        says = said.value if isinstance(said, Said) else ending and ending.answer
        return Played(tuple(calls), values, self.backend.changes(), ending, says, self.rows())

    def _call(self, task: Task, call: ToolCall) -> ToolResult:
        tool = self.domain.tools.get(call.name)
        if tool is not None and tool.key in task.withheld:
            return ToolResult("null", "unknown_tool")
        return self.backend.call(call)

    def _ending(self, plan: Plan, values: Mapping[int, Any]) -> Ending | None:
        if plan.ending is None:
            return None
        given = {}
        for name, value in plan.ending.items():
            try:
                given[name] = value.words if isinstance(value, Said) else resolved(value, values)
            except LookupError:
                continue
        ending = parse_finish(given, self.domain)
        return ending if isinstance(ending, Ending) else None

    def tool(self, act: Act) -> Tool:
        """The tool that an act which succeeds calls."""
        return self.domain.tools[act.name]
