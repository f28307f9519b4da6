"""An episode's calls beside those that the reference shows to be needed: which was meant by which, and what differs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.bench.evidence import Evidence, Made
from agents.bench.visible import same_scalar
from synthtools.goal import Change, Changes


@dataclass(frozen=True, slots=True)
class Difference:
    """An argument that is not as it should be."""

    argument: str
    given: Any
    """None: left out."""
    right: Any
    """None: it should have been left out."""
    names: bool
    """Whether it is the id of something."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A call that is needed, and the one that was meant for it."""

    needed: Made
    made: Made | None
    """None: its tool was not called for it."""
    differences: tuple[Difference, ...] = ()


def pairs(evidence: Evidence, chosen: Changes) -> list[Pair]:
    """Every change that the reference makes, in order, with the call of the same tool that is most like it.

    `chosen`: the changes of the alternative that the episode is nearest to; what stands there is right too.
    """
    needs = evidence.needs
    likely = [
        (needed, made, differences(evidence, needed, made, chosen))
        for needed in needs
        for made in evidence.writes(evidence.calls)
        if made.name == needed.name
    ]
    likely.sort(key=lambda entry: (len(entry[2]), entry[1].failed, entry[0].number, entry[1].number))
    taken: dict[int, Pair] = {}
    used: set[int] = set()
    for needed, made, found in likely:
        if needed.number not in taken and made.number not in used:
            taken[needed.number] = Pair(needed, made, tuple(found))
            used.add(made.number)
    return [taken.get(needed.number, Pair(needed, None)) for needed in needs]


def differences(evidence: Evidence, needed: Made, made: Made, chosen: Changes) -> list[Difference]:
    """The arguments of a call that are not those of the needed one; ids come first."""
    tool = evidence.domain.tools[needed.name]
    ours, theirs = _keys(evidence.changes), _keys(evidence.reference.changes)
    also = _cells(chosen) if len(evidence.task.goal.alternatives) > 1 else []
    found = []
    for name in dict.fromkeys((*needed.arguments, *made.arguments)):
        right, given = needed.arguments.get(name), made.arguments.get(name)
        entity = tool.refers.get(name, "")
        same = alike(given, right, exact=bool(entity)) or _both_new(entity, given, right, (ours, theirs))
        if not same and not any(same_scalar(given, cell) for cell in also):
            found.append(Difference(name, given, right, bool(entity)))
    return sorted(found, key=lambda difference: not difference.names)


def alike(one: Any, other: Any, *, exact: bool) -> bool:
    """Whether two arguments mean the same: lists in any order, and of free text the words."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(any(alike(a, b, exact=exact) for b in other) for a in one)
    if isinstance(one, str) and isinstance(other, str) and not exact:
        return re.findall(r"\w+", one.casefold()) == re.findall(r"\w+", other.casefold())
    return same_scalar(one, other)


def _keys(changes: Changes) -> Mapping[str, set[str]]:
    """Table → ids of the rows that came."""
    keys: dict[str, set[str]] = {}
    for change in changes:
        if change.op == "insert":
            keys.setdefault(change.table, set()).add(change.key)
    return keys


def _both_new(entity: str, given: Any, right: Any, keys: tuple[Mapping[str, set[str]], Mapping[str, set[str]]]) -> bool:
    """Whether both name a row that came in their own episode: such ids are free."""
    return isinstance(given, str) and isinstance(right, str) and given in keys[0].get(entity, ()) and right in keys[1].get(entity, ())


def _cells(changes: Sequence[Change]) -> list[Any]:
    return [cell for change in changes for cell in (change.key, *change.after.values()) if cell is not None]
