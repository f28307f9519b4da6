"""An episode as pages tell it: what was asked, each call with its result and the rows it changed, what was wanted, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import orjson

from agents.bench.causes import nearest_alternative
from agents.bench.evidence import Evidence, Made
from agents.report.pretty import flat, readable
from agents.trajectory import Step, Trajectory
from envs.transcript import write_cell, write_fault, write_user
from envs.users import RESPOND
from synthtools.domain import Domain
from synthtools.goal import Alternative, Answer, Change, Changes, Ending, Goal
from synthtools.judge import judge, residue
from synthtools.task import Task
from synthtools.tool import FAULTS

Data = dict[str, Any]


def tell(trajectory: Trajectory, evidence: Evidence, changed: Sequence[Changes]) -> Data:
    """One episode; `changed` holds the row changes of each of its calls."""
    domain, nearest = evidence.domain, nearest_alternative(evidence)
    expected = evidence.expected(nearest)
    missing, extra = ((), ()) if evidence.success else residue(expected, evidence.changes, domain)
    return {
        "turns": list(_turns(trajectory.steps, changed, domain)),
        "ending": _ending(evidence.ending),
        "user_left": evidence.user_left,
        "ended_well": evidence.success or _ended_well(evidence, nearest),
        "wanted": _wanted(nearest, domain),
        "ways": len(evidence.task.goal.alternatives),
        "expected": [{**tell_change(change, domain), "met": change not in missing} for change in expected],
        "extra": [tell_change(change, domain) for change in extra],
        "reason": evidence.reason,
        "broken": list(evidence.broken),
    }


def tell_task(task: Task, domain: Domain, reference: Sequence[Made]) -> Data:
    """What is the same for every episode of a task."""
    return {
        "request": task.request,
        "domain": task.domain,
        "field": task.field,
        "kind": task.kind,
        "difficulty": task.difficulty,
        "now": task.start.now or domain.now,
        "withheld": [domain.tool(key).name for key in task.withheld],
        "rules": {rule.name: rule.text for rule in task.rules},
        "user": write_user(task.user),
        "faults": [write_fault(fault) for fault in task.faults],
        "reference": [{"name": made.name, "arguments": _arguments(made.arguments)} for made in reference],
    }


def tell_domain(domain: Domain) -> Data:
    """What is the same for every task of a domain."""
    return {"about": domain.about, "policies": {name: policy.text for name, policy in domain.policies.items()}}


def tell_change(change: Change, domain: Domain) -> Data:
    """A row that came, changed or went, its amounts as people write them; without bookkeeping and empty cells, but for those that became empty."""
    columns = domain.tables[change.table].columns
    names = change.before if change.op == "delete" else change.after
    cells = []
    for name in names:
        column = columns.get(name)
        pair = tuple(_cell(side.get(name), column.kind if column else "") for side in (change.before, change.after))
        if name != "id" and pair != (None, None) and not (column and column.incidental):
            cells.append([name, *pair])
    return {"op": change.op, "table": change.table, "key": change.key, "cells": cells}


def _cell(value: Any, kind: str) -> str | None:
    return None if value is None else write_cell(kind, value)


def _turns(steps: Sequence[Step], changed: Sequence[Changes], domain: Domain) -> Iterator[Data]:
    """Steps of one turn were made together."""
    for _, pairs in groupby(zip(steps, changed, strict=True), key=lambda pair: pair[0].turn):
        turn = list(pairs)
        first = turn[0][0]
        data: Data = {"calls": [_call(step, changes, domain) for step, changes in turn]}
        if first.text and not first.spoken:
            data["text"] = first.text
        if first.tokens:
            data["tokens"] = first.tokens
        yield data


def _call(step: Step, changes: Changes, domain: Domain) -> Data:
    """A call and what it came to; what is said to a user, and the reply, are speech."""
    result = step.result
    data: Data = {"name": step.call.name, "arguments": _arguments(step.call.arguments), "result": readable(result.content)}
    if step.call.name == RESPOND.name and result.error is None:
        data |= {"said": _text_of(step.call.arguments, "text"), "reply": _text_of(result.content, "reply")}
    if step.spoken:
        data["spoken"] = step.text
    if result.error is not None:
        data |= {"error": result.reason or result.error}
        data |= {"fault": True} if result.error in FAULTS else {}
    shown = [told for change in changes if (told := tell_change(change, domain))["cells"] or change.op != "update"]
    return data | ({"changes": shown} if shown else {})


def _arguments(arguments: Mapping[str, Any] | str) -> list[list[str]] | str:
    """Names and values as they are read; what was never an object, as it came."""
    return arguments if isinstance(arguments, str) else [[str(name), flat(value)] for name, value in arguments.items()]


def _text_of(source: Mapping[str, Any] | str, name: str) -> str:
    """A text in a JSON object; the source as it is where it holds none."""
    try:
        data = orjson.loads(source) if isinstance(source, str) else source
    except ValueError:
        return str(source)
    found = data.get(name) if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else str(source)


def _ending(ending: Ending | None) -> Data | None:
    return None if ending is None else {"outcome": ending.outcome, "about": ending.about, "answer": _said(ending.answer)}


def _ended_well(evidence: Evidence, nearest: Alternative) -> bool:
    """Whether the ending is the one wanted, whatever was changed: judged as if those changes were the right ones."""
    as_changed = Goal((replace(nearest, changes=evidence.changes, check=""),))
    return judge(as_changed, evidence.changes, evidence.ending, evidence.domain).success


def _wanted(alternative: Alternative, domain: Domain) -> Data:
    return {"outcome": alternative.outcome, "about": alternative.about, "answer": _answer(alternative.answer), "check": alternative.check}


def _answer(answer: Answer | None) -> str:
    if answer is None:
        return ""
    return write_cell("money", answer.value) if answer.type == "money" else _said(answer.value)


def _said(value: Any) -> str:
    """An answer; empty where there is none."""
    return value if isinstance(value, str) else "" if value is None else flat(value)
