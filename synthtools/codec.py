"""Tasks as JSON and back: one canonical text per task."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from synthtools.backend import Snapshot
from synthtools.calculator import vet_derivation
from synthtools.fault import faults_from_json, faults_to_json
from synthtools.goal import Alternative, Answer, Change, Changes, Goal
from synthtools.rule import rule_from_json, rule_to_json
from synthtools.task import Derived, Ref, SolutionStep, Task
from synthtools.user import user_from_json, user_to_json


def task_to_json(task: Task) -> bytes:
    """The task as one line of JSON; arguments keep the order of the tool's schema."""
    record = {
        "id": task.id,
        "domain": task.domain,
        "field": task.field,
        "split": task.split,
        "kind": task.kind,
        "difficulty": task.difficulty,
        "request": task.request,
        "start": _start(task.start),
        "withheld": list(task.withheld),
        "twin": task.twin,
        "skeleton": task.skeleton,
        "said": dict(task.said),
        "solution": [{"name": s.name, "arguments": {k: _argument(v) for k, v in s.arguments.items()}} for s in task.solution],
        "goal": [_alternative(a) for a in task.goal.alternatives],
    }
    if task.user is not None:
        record["user"] = user_to_json(task.user)
    if task.rules:
        record["rules"] = [rule_to_json(rule) for rule in task.rules]
    if task.faults:
        record["faults"] = faults_to_json(task.faults)
    return orjson.dumps(record)


def task_from_json(text: bytes | str) -> Task:
    """The task of a line. Raises ValueError or KeyError for anything else."""
    r = orjson.loads(text)
    return Task(
        id=r["id"],
        domain=r["domain"],
        field=r["field"],
        split=r["split"],
        kind=r["kind"],
        difficulty=r["difficulty"],
        start=_start_from(r["start"]),
        withheld=tuple(r["withheld"]),
        request=r["request"],
        goal=Goal(tuple(_alternative_from(a) for a in r["goal"])),
        solution=tuple(SolutionStep(s["name"], {k: _argument_from(v) for k, v in s["arguments"].items()}) for s in r["solution"]),
        twin=r["twin"],
        skeleton=r["skeleton"],
        said=r["said"],
        user=user_from_json(r["user"]) if "user" in r else None,
        rules=tuple(map(rule_from_json, r.get("rules", ()))),
        faults=faults_from_json(r.get("faults", [])),
    )


def _start(start: Snapshot) -> dict[str, Any]:
    record: dict[str, Any] = {"domain": start.domain, "world": start.world, "setup": list(start.setup)}
    if start.delta or start.now or start.counters:
        record |= {"delta": base64.b64encode(start.delta).decode(), "now": start.now, "counters": [list(c) for c in start.counters]}
    if start.schedule:
        record["schedule"] = [list(entry) for entry in start.schedule]
    return record


def _start_from(r: Mapping[str, Any]) -> Snapshot:
    counters = tuple((name, number) for name, number in r.get("counters", ()))
    schedule = tuple((name, number) for name, number in r.get("schedule", ()))
    return Snapshot(r["domain"], r["world"], tuple(r["setup"]), base64.b64decode(r.get("delta", "")), r.get("now", ""), counters, schedule)


def _argument(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"$from": value.step, "at": list(value.path)}
    if isinstance(value, Derived):
        return {"$sql": value.sql, "uses": {k: _argument(v) for k, v in value.uses.items()}}
    return [_argument(v) for v in value] if isinstance(value, list | tuple) else value


def _argument_from(value: Any) -> Any:
    if isinstance(value, dict) and "$from" in value:
        step, path = value["$from"], value["at"]
        if type(step) is not int or step < 0 or not all(type(part) in (str, int) for part in path):
            raise ValueError(f"{value} refers to no result")
        return Ref(step, tuple(path))
    if isinstance(value, dict) and "$sql" in value:
        if not isinstance(value["$sql"], str) or not isinstance(value["uses"], dict):
            raise ValueError(f"{value} derives nothing")
        vet_derivation(value["$sql"])
        return Derived(value["$sql"], {k: _argument_from(v) for k, v in value["uses"].items()})
    return [_argument_from(v) for v in value] if isinstance(value, list) else value


def changes_to_json(changes: Changes) -> list[dict[str, Any]]:
    """Net changes as plain data."""
    return [{"table": c.table, "op": c.op, "key": c.key, "before": dict(c.before), "after": dict(c.after)} for c in changes]


def changes_from_json(records: list[dict[str, Any]]) -> Changes:
    """Net changes from plain data."""
    return tuple(Change(r["table"], r["op"], r["key"], r["before"], r["after"]) for r in records)


def _alternative(a: Alternative) -> dict[str, Any]:
    record: dict[str, Any] = {"changes": changes_to_json(a.changes), "outcome": a.outcome, "about": a.about}
    if a.answer is not None:
        record["answer"] = {"type": a.answer.type, "value": a.answer.value}
    return record | ({"check": a.check} if a.check else {})


def _alternative_from(r: Mapping[str, Any]) -> Alternative:
    answer = Answer(r["answer"]["type"], r["answer"]["value"]) if "answer" in r else None
    return Alternative(changes_from_json(r["changes"]), r["outcome"], r["about"], answer, r.get("check", ""))
