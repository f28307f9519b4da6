"""Rules of order that a task adds to its domain's policies, and whether the calls of an episode kept them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from synthtools.domain import Domain
from synthtools.goal import Ending
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND, Reply, User, replies, said_in

Called = tuple[ToolCall, ToolResult]


@dataclass(frozen=True, slots=True)
class Rule:
    """Before anything is changed, or refused in its name, something must have been asked."""

    kind: Literal["ask_first", "identity_first", "customer_acts"]
    """ask_first: whether to go ahead, and the user said yes; identity_first: who the user is, and that was compared with what is on file;
    customer_acts: the user, to do themselves what only they can do."""
    text: str
    """For the briefing."""
    slots: tuple[str, ...] = ()
    """What the user must have told, or been asked to do: of that, keys of tools."""
    shown: tuple[str, ...] = ()
    """What is on file: each value must have stood in a result, or in the arguments of a call that found something."""

    @property
    def name(self) -> str:
        """As the briefing and `about` name it."""
        return self.kind


def broken_rules(rules: Sequence[Rule], user: User | None, calls: Iterable[Called], ending: Ending | None, domain: Domain) -> tuple[str, ...]:
    """Names of the rules that an episode's calls broke, by their order alone. The user's part in it is what the script makes of what was said."""
    if not rules:
        return ()
    broken: dict[str, None] = {}
    heard: list[str] = []
    seen: list[str] = []
    for call, result in calls:
        if not result.carried_out:
            continue
        tool = domain.tools.get(call.name)
        if call.name == RESPOND.name:
            heard.append(said_in(call.arguments))
        elif tool is not None and not tool.read_only:
            broken |= dict.fromkeys(rule.name for rule in rules if not _may_change(rule, user, heard, seen))
        elif tool is not None and result.error is None:
            seen += _cells(call, result)
    if ending is not None and ending.outcome != "done":
        broken |= dict.fromkeys(rule.name for rule in rules if _is_in_the_name_of(rule, ending) and not _asked(rule, user, _replies(user, heard)))
    return tuple(broken)


def _replies(user: User | None, heard: Sequence[str]) -> tuple[Reply, ...]:
    return () if user is None else replies(user, heard)


def _is_in_the_name_of(rule: Rule, ending: Ending) -> bool:
    """Whether a refusal rests on a rule; nothing is impossible before those have been asked who may be able to do it."""
    return rule.kind == "customer_acts" or rule.name in ending.about


def _asked(rule: Rule, user: User | None, said: Sequence[Reply]) -> bool:
    """Whether the user has told what the rule asks for, or was asked to do it."""
    if rule.kind == "ask_first":
        return any(reply.decided for reply in said)
    if rule.kind == "customer_acts":
        return user is not None and set(rule.slots) <= {user.deeds[number].tool for reply in said for number in reply.bidden}
    return set(rule.slots) <= {slot for reply in said for slot in reply.gave}


def _may_change(rule: Rule, user: User | None, heard: Sequence[str], seen: Sequence[str]) -> bool:
    """Whether the rule lets something be changed after what was said and seen."""
    if user is None or not _asked(rule, user, _replies(user, heard)):
        return False
    if rule.kind == "ask_first":
        return user.decision is not None and user.decision.go
    return all(value.casefold() in seen for value in rule.shown)


def _cells(call: ToolCall, result: ToolResult) -> list[str]:
    """Every text of a result that holds something, and of the arguments that led to it, without case."""
    found = list(_texts(orjson.loads(result.content)))
    arguments: Any = call.arguments
    if isinstance(arguments, str):
        arguments = orjson.loads(arguments)
    return [*found, *_texts(arguments)] if found else []


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
    elif value is not None:
        yield str(value).casefold()


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """The rule as plain data."""
    return {"kind": rule.kind, "text": rule.text, "slots": list(rule.slots), "shown": list(rule.shown)}


def rule_from_json(record: Mapping[str, Any]) -> Rule:
    """The rule of plain data. Raises KeyError for anything else."""
    return Rule(record["kind"], record["text"], tuple(record["slots"]), tuple(record["shown"]))
