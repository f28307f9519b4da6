"""What in a task's user, rules and schedule of faults does not fit the rest of it: a stranger's file is told, rather than played in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from synthtools.domain import Domain
from synthtools.fault import ChangedSchema, ExtraTools, Fault, Injected, MisleadingDocs, Partial, StaleRead
from synthtools.rule import Rule
from synthtools.task import Task
from synthtools.tool import RESERVED, Tool
from synthtools.user import User


def misfit(task: Task, domain: Domain) -> str:
    """The first thing that does not fit, in one line; empty where all does."""
    if task.user is None and not (task.rules or task.faults):
        return ""
    faults = chain(_of_faults(task.faults, domain), _of_sql(task.faults, domain))
    found = next(chain(_of_rules(task.rules, task.user), _of_user(task.user, domain), faults), "")
    return f"the task {task.id} {found}" if found else ""


def _of_rules(rules: tuple[Rule, ...], user: User | None) -> Iterator[str]:
    for rule in rules:
        if user is None:
            yield f"has the rule {rule.name} and no user to ask"
            continue
        if rule.kind == "ask_first" and user.decision is None:
            yield f"has the rule {rule.name} and a user who decides nothing"
        acts = rule.kind == "customer_acts"
        known = {deed.tool for deed in user.deeds} if acts else {fact.slot for fact in user.facts}
        for slot in sorted(set(rule.slots) - known):
            yield f"has a rule about {slot!r}, which its user does not {'do' if acts else 'know'}"


def _of_user(user: User | None, domain: Domain) -> Iterator[str]:
    keys = {tool.key for tool in domain.tools.values()}
    for deed in user.deeds if user else ():
        if deed.tool not in keys:
            yield f"has a user with a tool {deed.tool!r}, which {domain.name} has not"


def _of_faults(faults: tuple[Fault, ...], domain: Domain) -> Iterator[str]:
    tools = {tool.key: tool for tool in domain.tools.values()}
    taken = set(RESERVED)
    for fault in faults:
        if isinstance(fault, ExtraTools):
            for tool in fault.tools:
                if tool.name in taken:
                    yield f"has an extra tool {tool.name!r}, a name that is taken"
                taken.add(tool.name)
        elif isinstance(fault, Injected):
            if fault.name not in domain.tools:
                yield f"has an injected call of {fault.name!r}, which {domain.name} has not"
        elif fault.tool and fault.tool not in tools:
            yield f"has a fault of {fault.tool!r}, a tool that {domain.name} has not"
        elif isinstance(fault, ChangedSchema | MisleadingDocs):
            yield from _of_parameter(fault, tools)


def _of_sql(faults: tuple[Fault, ...], domain: Domain) -> Iterator[str]:
    """Faults that tools written in Python cannot have."""
    for fault in faults if domain.toolkit is not None else ():
        if isinstance(fault, Partial):
            yield f"has a partial of {fault.tool!r}: which results of Python tools are lists is not known, so none can be cut"
        elif isinstance(fault, StaleRead) and fault.copy:
            yield f"has a stale_read of {fault.tool!r} with a copy, which is SQL: the state of Python tools takes none"


def _of_parameter(fault: ChangedSchema | MisleadingDocs, tools: Mapping[str, Tool]) -> Iterator[str]:
    if not fault.tool:
        yield f"has a {fault.type} of no tool"
        return
    known = tools[fault.tool].parameters["properties"]
    name = fault.old if isinstance(fault, ChangedSchema) else fault.parameter
    if name not in known:
        yield f"has a {fault.type} of {name!r}, an argument that {fault.tool} has not"
    if isinstance(fault, ChangedSchema) and fault.new in known:
        yield f"has a changed_schema to {fault.new!r}, a name that is taken"
