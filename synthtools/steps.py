"""The steps of workflows: every call, argument and path leads somewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthtools.blueprint import Step, Workflow
from synthtools.calculator import vet_derivation
from synthtools.domain import Domain
from synthtools.nearest import did_you_mean
from synthtools.source import Place, Source
from synthtools.sql import SqlError
from synthtools.tool import Tool
from synthtools.wording import path_end


def check_steps(domain: Domain, source: Source) -> None:
    """Raises BlueprintError at the first step of a workflow that leads nowhere."""
    tools = {tool.key: tool for tool in domain.tools.values()}
    for name, workflow in domain.blueprint.workflows.items():
        _Steps(domain, source, tools, workflow).check(("workflows", name))


@dataclass(slots=True)
class _Steps:
    """The steps of one workflow, and what its results so far hold."""

    domain: Domain
    source: Source
    tools: Mapping[str, Tool]
    workflow: Workflow
    results: dict[str, Collection[str]] = field(default_factory=dict)
    """Result's name → what can be taken from it."""

    def check(self, place: Place) -> None:
        for index, step in enumerate(self.workflow.steps):
            self._step((*place, "steps", index), step)
        answer = self.workflow.answer
        if answer is not None:
            root = answer.path.partition(".")[0].removesuffix("[]")
            if root not in self.results:
                raise self.source.error((*place, "answer", "path"), f"{root!r} is no step's `as:`; {did_you_mean(root, self.results)}")

    def _step(self, place: Place, step: Step) -> None:
        tool = self.tools.get(step.call)
        if tool is None:
            raise self.source.error((*place, "call"), f"{step.call!r} is no tool; {did_you_mean(step.call, self.tools)}")
        properties = tool.parameters["properties"]
        for name, wanted in step.with_.items():
            if name not in properties:
                raise self.source.error((*place, "with", name), f"is no argument of {step.call}; {did_you_mean(name, properties)}")
            self._argument((*place, "with", name), wanted)
        missing = [name for name in tool.parameters["required"] if name not in step.with_]
        if missing:
            raise self.source.error((*place, "with"), f"{step.call} needs {missing[0]!r}; add it")
        if step.as_:
            self.results[step.as_] = _parts(tool, picked=step.pick is not None)
        by = next(iter(step.pick.values())) if step.pick else True
        if by is not True and by not in _parts(tool, picked=True):
            raise self.source.error((*place, "pick"), f"{by!r} is no column of the result; {did_you_mean(str(by), _parts(tool, picked=True))}")

    def _argument(self, place: Place, wanted: Any) -> None:
        if isinstance(wanted, list):
            for index, entry in enumerate(wanted):
                self._argument((*place, index), entry)
        elif isinstance(wanted, dict):
            self._derived(place, wanted)
        elif isinstance(wanted, str):
            self._path(place, wanted)

    def _derived(self, place: Place, wanted: Mapping[str, Any]) -> None:
        """`{value: …}`, or `{sql: …}` with the values that it uses."""
        if set(wanted) == {"value"}:
            return
        if not isinstance(wanted.get("sql"), str) or not set(wanted) <= {"sql", "uses"} or not isinstance(wanted.get("uses", {}), dict):
            raise self.source.error(place, "is neither {value: …} nor {sql: …, uses: {name: path}}; write one of them")
        try:
            names = vet_derivation(wanted["sql"])
        except SqlError as error:
            raise self.source.error(place, str(error)) from None
        for name in sorted(names):
            self._argument(place, wanted.get("uses", {}).get(name, name))

    def _path(self, place: Place, path: str) -> None:
        root, *rest = path.split(".")
        known = [*self.results, *self.workflow.given, "today", "now"]
        if root in self.results:
            names = [part for part in rest if not part.isdigit()]
            if names and names[0] not in self.results[root]:
                raise self.source.error(place, f"{path}: the result has no {names[0]!r}; {did_you_mean(names[0], self.results[root])}")
        elif root not in known:
            raise self.source.error(place, f"{path}: {root!r} is neither given nor an earlier step's result; {did_you_mean(root, known)}")
        elif root in self.workflow.given:
            self._given(place, path, root, rest)

    def _given(self, place: Place, path: str, root: str, rest: list[str]) -> None:
        given = self.workflow.given[root]
        if given.entity is None:
            if rest:
                raise self.source.error(place, f"{path}: {root} is a plain value; write {root} alone")
            return
        try:
            path_end(self.domain, self.domain.tables[given.entity], rest)
        except LookupError as error:
            raise self.source.error(place, f"{path}: {error.args[0]}") from None


def _parts(tool: Tool, *, picked: bool) -> Collection[str]:
    """What can be taken from a result, or from one row picked in it."""
    returns = tool.program.returns
    columns = [column for r in returns.values() if r.many or not picked for column in r.columns]
    return columns if picked else [*(key for key in returns if key), *columns]
