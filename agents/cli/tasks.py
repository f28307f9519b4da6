"""`synthtools tasks`: what a pack holds, and single tasks to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.output import BadInput, Json, print_json, print_line, print_table, share
from agents.cli.rollout import PackFolder

if TYPE_CHECKING:
    from synthtools.goal import Alternative
    from synthtools.pack import Pack
    from synthtools.task import Task


def tasks(
    pack: PackFolder,
    show: Annotated[str, typer.Option("--show", help="The id of one task (or its beginning: the first such task), to read it whole.")] = "",
    as_json: Json = False,
) -> None:
    """Count a pack's tasks by kind, and what was dropped at which gate; or read one."""
    from synthtools.pack import load_pack

    loaded = load_pack(pack)
    if show:
        print_task(find_task(loaded, show))
    elif as_json:
        kinds = Counter(task.kind for task in loaded.tasks)
        print_json({"tasks": len(loaded.tasks), "tasks_dropped": dropped(loaded), "kinds": dict(sorted(kinds.items()))})
    else:
        print_pack(loaded)


def find_task(pack: Pack, name: str) -> Task:
    """The task of this id, or the first whose id begins so."""
    found = [task for task in pack.tasks if task.id.startswith(name)]
    if not found:
        raise BadInput(f"--show {name}: no such task; ids look like {pack.tasks[0].id}")
    return next((task for task in found if task.id == name), found[0])


def print_pack(pack: Pack) -> None:
    """Tasks by domain and by kind, and where the rest was dropped."""
    by_domain = Counter(task.domain for task in pack.tasks)
    domains = [[name, domain.field, domain.split, len(domain.tools), by_domain[name]] for name, domain in pack.domains.items()]
    print_table("Domains", ("domain", "field", "split", "tools", "tasks"), domains)
    kinds: dict[str, list[Task]] = {}
    for task in pack.tasks:
        kinds.setdefault(task.kind, []).append(task)
    rows = [
        [
            kind,
            len(group),
            share(len(group), len(pack.tasks)),
            _mean(len(task.solution) for task in group),
            _mean(task.difficulty for task in group),
        ]
        for kind, group in sorted(kinds.items())
    ]
    print_table(f"{len(pack.tasks):,} proven tasks", ("kind", "tasks", "share", "calls", "difficulty"), rows)
    gates = [[gate, sum(by_kind.values()), _listed(by_kind)] for gate, by_kind in pack.dropped.items()]
    if gates:
        print_table("Candidates dropped", ("gate", "tasks", "kinds"), gates)


def _mean(values: Iterable[int]) -> str:
    numbers = list(values)
    return f"{sum(numbers) / len(numbers):.1f}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def dropped(pack: Pack) -> dict[str, int]:
    """Gate → candidates dropped."""
    return {gate: sum(kinds.values()) for gate, kinds in pack.dropped.items()}


def print_task(task: Task) -> None:
    """One task, to read."""
    print_line(f"task       {task.id}   {task.field}, {task.split}   difficulty {task.difficulty}" + (f"   twin {task.twin}" if task.twin else ""))
    print_line(f"request    {task.request}")
    if task.withheld:
        print_line(f"withheld   {', '.join(task.withheld)}")
    for step in task.solution:
        arguments = ", ".join(f"{name}={_shown(value)}" for name, value in step.arguments.items())
        print_line(f"solution   {step.name}({arguments})")
    for alternative in task.goal.alternatives:
        for change in alternative.changes:
            sign = {"insert": "+", "update": "~", "delete": "-"}[change.op]
            print_line(f"goal       {sign} {change.table} {change.key} {dict(change.after or change.before)}")
        print_line(f"goal       ends {alternative.outcome}" + (f" about {alternative.about}" if alternative.about else "") + _answer(alternative))


def _answer(alternative: Alternative) -> str:
    return "" if alternative.answer is None else f" answer {alternative.answer.value} ({alternative.answer.type})"


def _shown(value: Any) -> str:
    from synthtools.task import Derived, Ref

    if isinstance(value, Ref):
        return f"result {value.step}" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in value.path)
    if isinstance(value, Derived):
        return f"{value.sql} with " + ", ".join(f"{name}={_shown(used)}" for name, used in value.uses.items())
    return repr(value)
