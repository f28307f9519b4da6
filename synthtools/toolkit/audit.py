"""The audit of a toolkit, through nothing but the Backend protocol: so it runs in process, and against a container."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from synthtools.audit.hostile import Attack, attacks, unknown_names
from synthtools.audit.probe import CRASHES
from synthtools.audit.report import AuditReport, Finding, shown_call
from synthtools.backend import Backend, Snapshot
from synthtools.domain import Domain
from synthtools.execute import MAX_RESULT_BYTES
from synthtools.sandbox.failure import SandboxError
from synthtools.seed import generator
from synthtools.task import Task, resolve
from synthtools.tool import Tool, ToolCall, ToolResult
from synthtools.toolkit.again import Recorded, play, play_elsewhere
from synthtools.toolkit.backend import ToolkitBackend
from synthtools.toolkit.fault import ToolkitError, ToolkitFault
from synthtools.toolkit.lint import lint
from synthtools.toolkit.sample import Sampler
from synthtools.toolkit.state import Unfreezable

_CHAIN = 30
"""Calls of an episode."""
_REPLAYED = 24
"""Episodes played again elsewhere."""
_CHECKED = 5
"""Calls made after a snapshot, there and in a backend that goes on from it."""
_FAULTS = (ToolkitFault, SandboxError, *CRASHES)


@dataclass(slots=True)
class _Audit:
    """One audit under way."""

    domain: Domain
    backend: Backend
    other: Backend
    sampler: Sampler
    found: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    reached: set[tuple[str, str]] = field(default_factory=set)
    succeeded: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Tool → arguments of a call that succeeded."""
    episodes: list[Recorded] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    start: Snapshot = field(default_factory=lambda: Snapshot("", 0))
    count: int = 0

    def report(self, tool: str, check: str, detail: str, key: str = "") -> None:
        self.found.setdefault((tool, check, key), Finding(tool, check, detail))

    def begin(self, start: Snapshot) -> None:
        """A new episode; the one before is kept to be played again."""
        if self.calls:
            self.episodes.append(Recorded(self.start, tuple(self.calls), tuple(self.contents)))
        self.calls, self.contents, self.start = [], [], start
        self.backend.reset(start)

    def call(self, name: str, arguments: Mapping[str, Any] | str) -> ToolResult | None:
        """One call, judged; None where the tool itself failed, after which a new episode begins."""
        self.count += 1
        call = ToolCall(name, arguments)
        shown = shown_call(name, arguments, f"world {self.start.world}, after {len(self.calls)} calls")
        try:
            result = self.backend.call(call)
        except Unfreezable as error:
            self.report(name, "state", f"{error} | {shown}")
            result = None
        except _FAULTS as error:
            self.report(name, "crash", f"{error} | {shown}")
            result = None
        if result is None:
            self.calls, self.contents = [], []
            self.backend.reset(self.start)
            return None
        self.calls.append(call)
        self.contents.append(result.content)
        self._judge(name, arguments, result, shown)
        return result

    def _judge(self, name: str, arguments: Mapping[str, Any] | str, result: ToolResult, shown: str) -> None:
        try:
            value = orjson.loads(result.content)
        except ValueError:
            self.report(name, "result", f"answers what is not JSON | {shown}")
            return
        if len(result.content.encode()) > 2 * MAX_RESULT_BYTES:
            self.report(name, "result", f"answers {len(result.content)} characters | {shown}")
        if result.error is None:
            self.succeeded.setdefault(name, arguments if isinstance(arguments, Mapping) else {})
            self.sampler.learn(value)
        elif result.error == "refused":
            if result.reason not in self.domain.tools[name].errors:
                detail = f"refuses with {result.reason!r}, which it does not document: add it under `Raises:` | {shown}"
                self.report(name, "undocumented", detail, result.reason)
            if (name, result.reason) not in self.reached:
                self.reached.add((name, result.reason))
                self._unchanged(name, result.reason, shown)

    def _unchanged(self, name: str, reason: str, shown: str) -> None:
        """After a refusal: the state is what the calls that succeeded had made it."""
        kept = [c for c, content in zip(self.calls[:-1], self.contents[:-1], strict=True) if not self.domain.tools[c.name].read_only]
        self.other.reset(self.start)
        for call in kept:
            self.other.call(call)
        if self.other.snapshot() != self.backend.snapshot():
            self.report(name, "refusal", f"refuses with {reason!r} and has changed something | {shown}", reason)


def audit_toolkit(
    domain: Domain, open_backend: Callable[[], Backend], *, tasks: Sequence[Task] = (), thorough: bool = True, seed: int = 0
) -> AuditReport:
    """Call every tool in every way that is known, and hold the toolkit to what a domain must keep.

    `open_backend` gives a new backend each time. The solutions of `tasks` are played too: they reach what drawn calls do not.
    """
    findings = [Finding("", "source", f"{place} {what}") for place, what in lint(domain.toolkit.files if domain.toolkit else {})]
    try:
        backend, other = open_backend(), open_backend()
        backend.reset(Snapshot(domain.digest, 0))
        audit = _Audit(domain, backend, other, Sampler(domain, generator("toolkit audit", domain.name, seed)))
        _run(audit, tasks, 3 if thorough else 1)
        _same_elsewhere(audit, open_backend)
        backend.close()
        other.close()
    except (Unfreezable, ToolkitError, SandboxError) as error:
        return _reported(domain, [*findings, Finding("", "state", str(error))], None)
    return _reported(domain, [*findings, *audit.found.values()], audit)


def _run(audit: _Audit, tasks: Sequence[Task], rounds: int) -> None:
    watching = isinstance(audit.backend, ToolkitBackend)
    if isinstance(audit.backend, ToolkitBackend):
        audit.backend.watched = Counter()
    for task in tasks:
        _solve(audit, task)
    for round_ in range(rounds):
        for tool in audit.domain.tools.values():
            _probe(audit, tool, round_)
    if watching:
        for name, reason in sorted(getattr(audit.backend, "partial", ())):
            audit.report(name, "partial write", f"had changed something before it refused with {reason!r}: check first, then change", reason)
    audit.begin(Snapshot(audit.domain.digest, 0))
    for name, what in unknown_names(audit.backend, audit.domain, audit.start):
        audit.report("", "hostile", f"tool name {name!r} {what}", name)
    for tool in audit.domain.tools.values():
        _hostile(audit, tool)


def _solve(audit: _Audit, task: Task) -> None:
    """A task's solution, as calls that are known to mean something."""
    audit.begin(task.start)
    values: list[Any] = []
    for step in task.solution[:-1]:
        call = resolve(step, values)
        result = audit.call(call.name, call.arguments)
        if result is None:
            return
        values.append(orjson.loads(result.content))
    _go_on_from_here(audit)


def _probe(audit: _Audit, tool: Tool, round_: int) -> None:
    """A tool called many times; before a tool that writes, and between, others are called as look-ups."""
    audit.begin(Snapshot(audit.domain.digest, 0))
    before = audit.backend.snapshot()
    looks = [t for t in audit.domain.tools.values() if t.read_only]
    rng = audit.sampler.rng
    for _ in range(_CHAIN):
        if looks and rng.random() < 0.5 and not tool.read_only:
            look = rng.choice(looks)
            audit.call(look.name, audit.sampler.sample(look))
        audit.call(tool.name, audit.sampler.sample(tool))
    if tool.read_only:
        if audit.backend.snapshot() != before:
            audit.report(tool.name, "read only", "is marked read_only and changes the state")
    elif round_ == 0:
        _go_on_from_here(audit)


def _go_on_from_here(audit: _Audit) -> None:
    """From a snapshot of this moment another backend comes to the same state, and answers the same further calls alike."""
    moment = audit.backend.snapshot()
    audit.other.reset(moment)
    if audit.other.snapshot() != moment or audit.other.changes() != audit.backend.changes():
        audit.report("", "snapshot", f"the state after {len(audit.calls)} calls is another when it is restored | {_last(audit)}")
    tools = list(audit.domain.tools.values())
    for _ in range(_CHECKED):
        tool = audit.sampler.rng.choice(tools)
        arguments = audit.sampler.sample(tool)
        result = audit.call(tool.name, arguments)
        if result is None:
            return
        if audit.other.call(ToolCall(tool.name, arguments)) != result:
            audit.report(tool.name, "snapshot", f"answers otherwise from a restored state | {_last(audit)}")


def _last(audit: _Audit) -> str:
    if not audit.calls:
        return "at the start"
    return shown_call(audit.calls[-1].name, audit.calls[-1].arguments, f"world {audit.start.world}")


def _hostile(audit: _Audit, tool: Tool) -> None:
    """Arguments that mean no good: typed errors, and a state that stays as it was."""
    usual = audit.succeeded.get(tool.name) or audit.sampler.sample(tool)
    audit.backend.reset(audit.start)
    before = audit.backend.snapshot()
    for attack in _attacks(tool, usual):
        audit.count += 1
        try:
            result = audit.backend.call(ToolCall(tool.name, attack.arguments))
            orjson.loads(result.content)
        except _FAULTS as error:
            audit.report(tool.name, "hostile", f"{attack.row}: raised {error}", attack.row)
            audit.backend.reset(audit.start)
            continue
        if attack.errors and result.error not in attack.errors:
            audit.report(tool.name, "hostile", f"{attack.row}: answered {result.error or 'success'}, where a typed error was due", attack.row)
        if result.error is None and not tool.read_only:
            audit.backend.reset(audit.start)
    if audit.backend.snapshot() != before:
        audit.report(tool.name, "hostile", "arguments that were turned away have changed the state")


def _attacks(tool: Tool, usual: Mapping[str, Any]) -> Iterator[Attack]:
    """The attacks that apply: those on parameters of plain types, and of the rest those that are wrong for any type."""
    plain = {name: schema for name, schema in tool.parameters["properties"].items() if _is_plain(schema)}
    for attack in attacks(replace(tool, parameters={**tool.parameters, "properties": plain}), usual):
        row, _, name = attack.row.partition(": ")
        schema = plain.get(name, {})
        if row == "extra argument" and attack.arguments.keys() <= tool.parameters["properties"].keys():
            continue
        if ("format" in schema and row.endswith("no such moment")) or _is_fraction(schema, attack.arguments, name):
            continue
        yield attack


def _is_plain(schema: Mapping[str, Any]) -> bool:
    if schema["type"] == "array":
        return "type" in schema["items"] and schema["items"]["type"] in ("string", "integer", "boolean") and "pattern" not in schema["items"]
    return schema["type"] in ("string", "integer", "number", "boolean")


def _is_fraction(schema: Mapping[str, Any], arguments: Any, name: str) -> bool:
    """Numbers that only amounts of money cannot be."""
    value = arguments.get(name) if isinstance(arguments, dict) and schema.get("type") == "number" else None
    return type(value) is float and abs(value) < float("inf")


def _same_elsewhere(audit: _Audit, open_backend: Callable[[], Backend]) -> None:
    """The same calls in a fresh backend, and in an interpreter that hashes text otherwise: the same bytes."""
    audit.begin(Snapshot(audit.domain.digest, 0))
    fresh = open_backend()
    kept = audit.episodes[:_REPLAYED][::-1]
    ways: list[tuple[str, Callable[[], list[list[str]]]]] = [("a fresh backend", lambda: play(fresh, kept))]
    if audit.domain.toolkit is not None and audit.domain.toolkit.trusted:
        ways.append(("an interpreter with another PYTHONHASHSEED", lambda: play_elsewhere(audit.domain, kept)))
    for where, way in ways:
        try:
            played = way()
        except (*_FAULTS, OSError) as error:
            audit.report("", "replay", f"recorded calls cannot be played again in {where}: {error}", where)
            continue
        for episode, contents in zip(kept, played, strict=True):
            differs = next((i for i, content in enumerate(episode.contents) if contents[i] != content), None)
            if differs is not None:
                call = episode.calls[differs]
                shown = shown_call(call.name, call.arguments, f"world {episode.start.world}")
                audit.report(call.name, "replay", f"answers otherwise in {where} | {shown}", where)
    fresh.close()


def _reported(domain: Domain, findings: Sequence[Finding], audit: _Audit | None) -> AuditReport:
    documented = [(tool.name, code) for tool in domain.tools.values() for code in tool.errors]
    reached = audit.reached if audit is not None else set()
    unseen = [Finding(name, "unreached", f"{code} was never reached") for name, code in documented if (name, code) not in reached]
    if audit is not None:
        never = [name for name in domain.tools if name not in audit.succeeded]
        unseen += [Finding(name, "effect unaudited", "never succeeded; give tasks that call it") for name in never]
    count = sum(pair in reached for pair in documented)
    return AuditReport(domain.name, len(domain.tools), audit.count if audit else 0, tuple(findings), tuple(unseen), len(documented), count)

