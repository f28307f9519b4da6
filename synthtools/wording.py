"""The words of a blueprint: every slot in them names something that can be said."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from synthtools.blueprint import Entity
from synthtools.domain import Domain, Table
from synthtools.nearest import did_you_mean
from synthtools.source import Place, Source

_SLOT = re.compile(r"\{([^{}?]*)(\?[^{}]*)?\}")
_BRACE = re.compile(r"[{}]")


def check_wording(domain: Domain, source: Source) -> None:
    """Raises BlueprintError at the first words that name something unknown."""
    blueprint = domain.blueprint
    for name, entity in blueprint.entities.items():
        _check_entity(domain, name, entity, source)
    for key, tool in blueprint.tools.items():
        _check_slots(("tools", key, "asked_as"), tool.asked_as, domain.tool(key).parameters["properties"], source)
    for key, workflow in blueprint.workflows.items():
        _check_slots(("workflows", key, "asked_as"), workflow.asked_as, workflow.given, source)
    for key, policy in blueprint.policies.items():
        known = domain.tool(policy.tempts).parameters["properties"]
        _check_slots(("policies", key, "asked_as"), policy.asked_as, known, source)


def path_end(domain: Domain, table: Table, path: Iterable[str]) -> Table | None:
    """The table that a path of columns leads to, None where it ends in a plain value. Raises LookupError, with the mend."""
    here: Table | None = table
    for step in path:
        if here is None:
            raise LookupError(f"{step!r} comes after a column that is no reference; end the path before it")
        if step not in here.columns:
            raise LookupError(f"{here.name} has no field {step!r}; {did_you_mean(step, here.columns)}")
        here = domain.tables.get(here.columns[step].ref)
    return here


def _check_entity(domain: Domain, name: str, entity: Entity, source: Source) -> None:
    place, table = ("entities", name), domain.tables[name]
    for index, template in enumerate(entity.described_by):
        for slot in _slots((*place, "described_by", index), template, source):
            try:
                path_end(domain, table, slot.split("."))
            except LookupError as error:
                raise source.error((*place, "described_by", index), f"{{{slot}}}: {error.args[0]}") from None
    tools = {tool.key: tool for tool in domain.tools.values()}
    for key, phrases in entity.says.items():
        if key not in tools:
            raise source.error((*place, "says", key), f"is no tool; {did_you_mean(key, tools)}")
        known = set(tools[key].parameters["properties"])
        _check_slots((*place, "says", key), phrases, known | ({"it"} if f"{name}_id" in known else set()), source)
    for key, phrases in entity.questions.items():
        if key not in table.columns:
            raise source.error((*place, "questions", key), f"is no field; {did_you_mean(key, table.columns)}")
        _check_slots((*place, "questions", key), phrases, {"it"}, source)


def _check_slots(place: Place, phrases: Iterable[str], known: Collection[str], source: Source) -> None:
    for index, phrase in enumerate(phrases):
        for slot in _slots((*place, index), phrase, source):
            if slot not in known:
                raise source.error((*place, index), f"{{{slot}}} names nothing here; {did_you_mean(slot, known)}")


def _slots(place: Place, phrase: str, source: Source) -> list[str]:
    """The names in braces. Raises BlueprintError for a brace that belongs to none."""
    if _BRACE.search(_SLOT.sub("", phrase)):
        raise source.error(place, "a lone brace; write {name}, with both")
    return [match.group(1) for match in _SLOT.finditer(phrase)]
