"""What the agent of a task is given besides the request: the opening words and the tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from synthtools.domain import Domain
from synthtools.fault import SERVICE, Fault
from synthtools.finish import finish_tool
from synthtools.rule import Rule
from synthtools.shown import faulty_schemas
from synthtools.task import Task
from synthtools.user import RESPOND
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
    """Makes a domain's offers, one for each set of withheld tools, with and without a user to talk to, and remembers them."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.briefing = briefing(domain)
        """The opening words of episodes that begin at the domain's own hour."""
        self._schemas = {tool.key: tool.schema() for tool in domain.tools.values()}
        self._texts = {key: orjson.dumps(schema).decode() for key, schema in self._schemas.items()}
        self._made: dict[tuple[str, ...], Offer] = {}
        self._talking: dict[tuple[tuple[str, ...], tuple[str, ...], bool], Offer] = {}

    def of(self, task: Task) -> Offer:
        """What the agent of a task is given: `respond` too where the task has a user, and what its faults have shown."""
        if task.user is None and not task.rules:
            offer = self.without(task.withheld)
        else:
            offer = self.among(task.withheld, tuple(rule.name for rule in task.rules), talks=task.user is not None)
        return self.faulty(offer, task.faults) if task.faults else offer

    def among(self, withheld: tuple[str, ...], rules: tuple[str, ...], *, talks: bool) -> Offer:
        """What an agent is given that lacks the tools of these keys, and may refuse by these rules; `talks`: there is a user."""
        key = (withheld, rules, talks)
        if key not in self._talking:
            self._talking[key] = self._make(withheld, rules, talks=talks)
        return self._talking[key]

    def without(self, withheld: tuple[str, ...]) -> Offer:
        """What an agent is given that lacks the tools of these keys, and has nobody to talk to."""
        if withheld not in self._made:
            self._made[withheld] = self._make(withheld, (), talks=False)
        return self._made[withheld]

    def faulty(self, offer: Offer, faults: Sequence[Fault]) -> Offer:
        """An offer where things go wrong on purpose: as the faults have it shown, and with `wait`."""
        count = len(self._schemas) - len(offer.withheld)
        keys = {tool.name: tool.key for tool in self.domain.tools.values()}
        tools = (*faulty_schemas(keys, offer.tools[:count], faults), WAIT.schema(), *offer.tools[count:])
        return replace(offer, tools=tools, text=orjson.dumps(tools).decode())

    def _make(self, withheld: tuple[str, ...], rules: tuple[str, ...], *, talks: bool) -> Offer:
        finish = finish_tool(self.domain, rules).schema()
        always = [RESPOND.schema(), finish] if talks else [finish]
        named = {str(schema["function"]["name"]): schema for schema in always}
        given = {key: schema for key, schema in self._schemas.items() if key not in withheld}
        texts = [*(self._texts[key] for key in given), *(orjson.dumps(schema).decode() for schema in always)]
        barred = frozenset(self.domain.tool(key).name for key in withheld)
        return Offer((*given.values(), *always), f"[{','.join(texts)}]", barred, barred | named.keys())


def opening_words(domain: Domain, task: Task) -> str:
    """The words before a task's request: where things go wrong on purpose, what is documented of that stands there too."""
    return briefing(domain, task.start.now, task.rules) + (f"\n{SERVICE}" if task.faults else "")


def briefing(domain: Domain, now: str = "", rules: Sequence[Rule] = ()) -> str:
    """The words before every request: the day and hour, the domain's policies and the task's rules. `now`: ISO date-time, if not the domain's own."""
    now = now or domain.now
    listed = [*((name, policy.text) for name, policy in domain.policies.items()), *((rule.name, rule.text) for rule in rules)]
    lines = "\n".join(f"- {name}: {text}" for name, text in listed)
    return f"Today is {now[:10]}; it is {now[11:16]}.\n\nPolicies:\n{lines}\n"
