"""`synthtools tasks`: what a pack holds, and single tasks to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.output import BadInput, Json, counted, print_json, print_line, print_part, print_table, share
from agents.cli.reasons import dropped_by_words
from agents.cli.rollout import PackFolder

if TYPE_CHECKING:
    from synthtools.domain import Domain
    from synthtools.fault import Fault
    from synthtools.pack import Pack
    from synthtools.task import Task
    from synthtools.user import Deed

LARGEST = 3
"""How many causes, or domains, a summary names."""


def tasks(
    pack: PackFolder,
    show: Annotated[str, typer.Option("--show", help="The id of one task (or its beginning: the first such task), to read it whole.")] = "",
    as_json: Json = False,
) -> None:
    """Count a pack's tasks by kind, and what was dropped at which gate; or read one."""
    import orjson

    from synthtools.codec import task_to_json
    from synthtools.pack import load_pack

    loaded = load_pack(pack)
    if show:
        task = find_task(loaded, show)
        if as_json:
            print_json(orjson.loads(task_to_json(task)))
        else:
            print_task(task, loaded.domains[task.domain])
    elif as_json:
        kinds = Counter(task.kind for task in loaded.tasks)
        print_json({"tasks": len(loaded.tasks), "tasks_dropped": dropped(loaded), "kinds": dict(sorted(kinds.items()))})
    else:
        print_pack(loaded)


def find_task(pack: Pack, name: str) -> Task:
    """The task of this id, or the first whose id begins so."""
    found = [task for task in pack.tasks if task.id.startswith(name)]
    if not found:
        raise BadInput(f"--show {name}: no such task; {f'ids look like {pack.tasks[0].id}' if pack.tasks else 'the pack holds none'}")
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
    reasons = [[words, by_kind.total(), _listed(by_kind)] for words, by_kind in dropped_by_words(pack.dropped).items()]
    if reasons:
        print_table("Candidates turned away", ("because", "tasks", "kinds"), reasons)


def print_made(pack: Pack, wanted: int) -> None:
    """How many tasks there are, where they are fewer than were wanted, and what most candidates were turned away for."""
    by_domain = Counter(task.domain for task in pack.tasks)
    fields = {domain.field for domain in pack.domains.values()}
    tools = sum(len(domain.tools) for domain in pack.domains.values())
    places = f"{counted(len(pack.domains), 'domain')} of {counted(len(fields), 'field')} with {counted(tools, 'tool')}"
    print_part("Tasks", f"{len(pack.tasks):,} proven, in {places}.{_short(by_domain, pack.domains, wanted)}")
    reasons = dropped_by_words(pack.dropped)
    if not reasons:
        return
    total = sum(kinds.total() for kinds in reasons.values())
    print_part("", f"{counted(total, 'candidate')} turned away{', mostly because' if len(reasons) > LARGEST else ''}:")
    for words, kinds in list(reasons.items())[:LARGEST]:
        print_part(f"{kinds.total():>20,}", f"{words}", 22)


def _short(by_domain: Mapping[str, int], domains: Iterable[str], wanted: int) -> str:
    """Which domains gave fewer tasks than were wanted."""
    short = [f"{name} gave {by_domain[name]}" for name in domains if by_domain[name] < wanted]
    if not short:
        return ""
    more = f", and {counted(len(short) - LARGEST, 'more domain')} gave fewer too" if len(short) > LARGEST else ""
    return f" {wanted} were wanted of each domain, but {' and '.join(short[:LARGEST])}{more}."


def _mean(values: Iterable[int]) -> str:
    numbers = list(values)
    return f"{sum(numbers) / len(numbers):.1f}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def dropped(pack: Pack) -> dict[str, int]:
    """Gate → candidates dropped."""
    return {gate: sum(kinds.values()) for gate, kinds in pack.dropped.items()}


def print_task(task: Task, domain: Domain) -> None:
    """One task, to read."""
    from envs.transcript import write_goal

    print_line(f"task       {task.id}   {task.field}, {task.split}   difficulty {task.difficulty}" + (f"   twin {task.twin}" if task.twin else ""))
    print_line(f"request    {task.request}")
    if task.withheld:
        print_line(f"withheld   {', '.join(task.withheld)}")
    for rule in task.rules:
        print_line(f"rule       {rule.name}: {rule.text}")
    for number, line in enumerate(_known(task)):
        print_line(f"{'' if number else 'user':<11}{line}")
    for number, fault in enumerate(task.faults):
        print_line(f"{'' if number else 'faults':<11}{_of_fault(fault)}")
    for number, step in enumerate(task.solution):
        arguments = ", ".join(f"{name}={_shown(value)}" for name, value in step.arguments.items())
        print_line(f"{'' if number else 'solution':<11}{number}  {step.name}({arguments})")
    for number, line in enumerate(write_goal(task, domain)):
        print_line(f"{'' if number else 'goal':<11}{line}")


def _known(task: Task) -> list[str]:
    """What the task's user knows, can do and decides."""
    if task.user is None:
        return []
    ways = {"at_once": "", "when_pressed": ", when asked twice", "corrected": ", after a slip"}
    facts = [f"{fact.label}: {fact.said}{ways[fact.given]}" for fact in task.user.facts]
    deeds = [f"{'does, when asked' if deed.able else 'cannot'}: {deed.label}{_call_of(deed)}" for deed in task.user.deeds]
    return facts + deeds + ([] if task.user.decision is None else [f"asked whether to go ahead: {task.user.decision.said}"])


def _call_of(deed: Deed) -> str:
    """The call that a deed is."""
    return f"  {deed.tool}({', '.join(f'{name}={_shown(value)}' for name, value in deed.arguments.items())})"


def _of_fault(fault: Fault) -> str:
    """What goes wrong: its type, and which of its settings are not those of any."""
    settings = {name: value for name, value in asdict(fault).items() if name not in ("type", "tools") and value not in ("", ())}
    return f"{fault.type} {', '.join(f'{name} {value}' for name, value in settings.items())}".strip()


def _shown(value: Any) -> str:
    """An argument of a solution: a value, or where it comes from."""
    import orjson

    from synthtools.task import Derived, Ref

    if isinstance(value, Ref):
        return f"result {value.step}" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in value.path)
    if isinstance(value, Derived):
        return f"{value.sql} with " + ", ".join(f"{name}={_shown(used)}" for name, used in value.uses.items())
    return orjson.dumps(value).decode()
