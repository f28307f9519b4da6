"""What the agent of a task is given besides the request: the opening words and the tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.domain import Domain
from synthtools.finish import finish_tool
from synthtools.rule import Rule
from synthtools.task import Task
from synthtools.user import RESPOND


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
        """What the agent of a task is given: `respond` too where the task has a user."""
        if task.user is None and not task.rules:
            return self.without(task.withheld)
        return self.among(task.withheld, tuple(rule.name for rule in task.rules), talks=task.user is not None)

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

    def _make(self, withheld: tuple[str, ...], rules: tuple[str, ...], *, talks: bool) -> Offer:
        finish = finish_tool(self.domain, rules).schema()
        always = [RESPOND.schema(), finish] if talks else [finish]
        named = {str(schema["function"]["name"]): schema for schema in always}
        given = {key: schema for key, schema in self._schemas.items() if key not in withheld}
        texts = [*(self._texts[key] for key in given), *(orjson.dumps(schema).decode() for schema in always)]
        barred = frozenset(self.domain.tool(key).name for key in withheld)
        return Offer((*given.values(), *always), f"[{','.join(texts)}]", barred, barred | named.keys())


def briefing(domain: Domain, now: str = "", rules: Sequence[Rule] = ()) -> str:
    """The words before every request: the day and hour, the domain's policies and the task's rules. `now`: ISO date-time, if not the domain's own."""
    now = now or domain.now
    listed = [*((name, policy.text) for name, policy in domain.policies.items()), *((rule.name, rule.text) for rule in rules)]
    lines = "\n".join(f"- {name}: {text}" for name, text in listed)
    return f"Today is {now[:10]}; it is {now[11:16]}.\n\nPolicies:\n{lines}\n"
