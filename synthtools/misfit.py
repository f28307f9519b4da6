"""What in a task's user, rules and schedule of faults does not fit the rest of it: a stranger's file is told, rather than played in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from synthtools.domain import Domain
from synthtools.fault import ChangedSchema, ExtraTools, Fault, Injected, MisleadingDocs
from synthtools.finish import NAME
from synthtools.rule import Rule
from synthtools.task import Task
from synthtools.tool import Tool
from synthtools.user import RESPOND, User
from synthtools.wait import WAIT


def misfit(task: Task, domain: Domain) -> str:
    """The first thing that does not fit, in one line; empty where all does."""
    if not (task.rules or task.faults):
        return ""
    found = next((fault for rule in task.rules if (fault := _of_rule(rule, task.user))), "") or next(_of_faults(task.faults, domain), "")
    return f"the task {task.id} {found}" if found else ""


def _of_rule(rule: Rule, user: User | None) -> str:
    if user is None:
        return f"has the rule {rule.name} and no user to ask"
    if rule.kind == "ask_first" and user.decision is None:
        return f"has the rule {rule.name} and a user who decides nothing"
    unknown = sorted(set(rule.slots) - {fact.slot for fact in user.facts})
    return f"has a rule about {unknown[0]!r}, which its user does not know" if unknown else ""


def _of_faults(faults: tuple[Fault, ...], domain: Domain) -> Iterator[str]:
    tools = {tool.key: tool for tool in domain.tools.values()}
    taken = {RESPOND.name, WAIT.name, NAME}
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
