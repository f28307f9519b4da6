"""What the agent of a task is given besides the request: the opening words and the tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from envs.users import RESPOND
from synthtools.domain import Domain
from synthtools.fault import SERVICE, Fault
from synthtools.finish import finish_tool
from synthtools.shown import faulty_schemas
from synthtools.task import Task
from synthtools.wait import WAIT


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of one task, ready to be handed out."""

    tools: tuple[Mapping[str, Any], ...]
    """Schemas in the form that chat models take, `finish` last. Shared between episodes: read only."""
    text: str
    """The same as JSON text."""
    withheld: frozenset[str]
    """Shown names of tools that the domain has and this agent has not."""
    special: frozenset[str]
    """Names that never reach the backend."""


class Offers:
    """Makes a domain's offers, one for each set of withheld tools, and remembers them."""

    def __init__(self, domain: Domain, talks: bool) -> None:
        self.domain = domain
        self.talks = talks
        """Whether there is a user to talk to."""
        self.briefing = briefing(domain)
        """The opening words of episodes that begin at the domain's own hour."""
        self._schemas = {tool.key: tool.schema() for tool in domain.tools.values()}
        always = [RESPOND.schema(), finish_tool(domain).schema()] if talks else [finish_tool(domain).schema()]
        self._always = {str(schema["function"]["name"]): schema for schema in always}
        self._texts = {key: orjson.dumps(schema).decode() for key, schema in (self._schemas | self._always).items()}
        self._made: dict[tuple[str, ...], Offer] = {}

    def without(self, withheld: tuple[str, ...], faults: Sequence[Fault] = ()) -> Offer:
        """What an agent is given that lacks the tools of these keys; where things go wrong on purpose, as the faults have it shown, and `wait`."""
        if withheld not in self._made:
            self._made[withheld] = self._make(withheld)
        return self._with(faults, self._made[withheld]) if faults else self._made[withheld]

    def _with(self, faults: Sequence[Fault], offer: Offer) -> Offer:
        count = len(offer.tools) - len(self._always)
        keys = {tool.name: tool.key for tool in self.domain.tools.values()}
        tools = (*faulty_schemas(keys, offer.tools[:count], faults), WAIT.schema(), *offer.tools[count:])
        return replace(offer, tools=tools, text=orjson.dumps(tools).decode())

    def _make(self, withheld: tuple[str, ...]) -> Offer:
        given = {key: schema for key, schema in self._schemas.items() if key not in withheld} | self._always
        barred = frozenset(self.domain.tool(key).name for key in withheld)
        return Offer(
            tools=tuple(given.values()),
            text=f"[{','.join(self._texts[key] for key in given)}]",
            withheld=barred,
            special=barred | self._always.keys(),
        )


def opening_words(domain: Domain, task: Task) -> str:
    """The words before a task's request: where things go wrong on purpose, what is documented of that stands there too."""
    return briefing(domain, task.start.now) + (f"\n{SERVICE}" if task.faults else "")


def briefing(domain: Domain, now: str = "") -> str:
    """The words before every request: the day and hour, and the domain's policies. `now`: ISO date-time, if not the domain's own."""
    now = now or domain.now
    return f"Today is {now[:10]}; it is {now[11:16]}.\n\nPolicies:\n{_listed(domain)}\n"


def _listed(domain: Domain) -> str:
    lines: Iterable[str] = (f"- {name}: {policy.text}" for name, policy in domain.policies.items())
    return "\n".join(lines)
