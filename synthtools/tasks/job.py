"""A job that people ask for: what is given in words, and the calls that do it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synthtools.blueprint import Answer as AnswerSpec
from synthtools.blueprint import Given, Step, Workflow
from synthtools.domain import Domain
from synthtools.language import is_clause, is_imperative, mark, say, upper_first
from synthtools.number import agreeing_with_ones
from synthtools.sample import CallSampler
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.describe import Describer, Description
from synthtools.tool import Tool

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)(\?([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One value that the request states: plain, or rows described in words."""

    value: Any
    """As an agent gives it; for rows their id or ids."""
    stored: Any
    """As stored: money in cents."""
    text: str
    """Marked words."""
    rows: tuple[Description, ...] = ()
    parts: tuple[tuple[Any, str], ...] = ()
    """For a list of plain values: each one, and how it is said."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be asked for, with everything that its words say."""

    key: str
    """The tool or workflow."""
    phrase: str
    """Marked words."""
    drawn: Mapping[str, Drawn]
    steps: tuple[Step, ...]
    answer: AnswerSpec | None
    skipped: frozenset[str] = frozenset()
    """What could have been given and, this time, is not."""


@dataclass(slots=True)
class Jobs:
    """Draws jobs in one world."""

    domain: Domain
    sampler: CallSampler
    describer: Describer
    rng: random.Random

    @property
    def searches(self) -> Mapping[str, Tool]:
        """Entity → its search tool."""
        return {t.origin.entity: t for t in self.domain.tools.values() if t.origin.kind == "search"}

    def has_words(self, tool: Tool) -> bool:
        """Whether people have words to ask for a tool."""
        return bool(self._phrases(tool, clause=False))

    def clauses(self, tool: Tool) -> list[str]:
        """The imperative clauses, slots unfilled, in which people ask for a tool."""
        return self._phrases(tool, clause=True)

    def of_tool(
        self, tool: Tool, *, by_id: bool = False, fixed: Mapping[str, Any] | None = None, clause: bool = False, phrases: Sequence[str] = ()
    ) -> Job:
        """A job that one tool does. `fixed` arguments are kept; `clause` wants words that are an imperative clause. Raises NotBuilt."""
        phrases = phrases or self._phrases(tool, clause=clause)
        if not phrases:
            raise NotBuilt("no_words")
        template = self.rng.choice(phrases)
        arguments = fixed if fixed is not None else self.sampler.sample(tool, sensible=True)
        if arguments is None:
            raise NotBuilt("no_arguments")
        named = {m.group(1) for m in _SLOT.finditer(template)}
        own = f"{tool.origin.entity}_id"
        slots = sorted(own if name == "it" else name for name in named)
        if tool.origin.kind == "update":
            slots = self._few(template, slots)
        arguments = self._complete(tool, arguments, slots)
        drawn = {name: self._drawn_argument(tool, name, value, by_id=by_id) for name, value in arguments.items()}
        spoken = {("it" if name == own and "it" in named else name): d for name, d in drawn.items()}
        hand = self.domain.blueprint.tools.get(tool.key)
        step = Step.model_validate({"call": tool.key, "with": {name: name for name in drawn}, "as": "done"})
        answer = hand.answer if hand else None
        spec = AnswerSpec(path=f"done.{answer.path}", type=answer.type) if answer else None
        return Job(tool.key, self._words(template, spoken, question=tool.read_only), drawn, (step,), spec)

    def _words(self, template: str, drawn: Mapping[str, Drawn], *, question: bool) -> str:
        """A template filled; one that is no imperative clause becomes a sentence."""
        counts = {name: d.value for name, d in drawn.items() if not d.rows and not isinstance(d.value, float)}
        text = fill(agreeing_with_ones(template, counts), drawn)
        if question or is_imperative(template):
            return text
        return upper_first(text) + ("." if is_clause(text) else "")

    def of_workflow(self, name: str, workflow: Workflow) -> Job:
        """A job of several calls. Raises NotBuilt."""
        scope: dict[str, Any] = {}
        drawn: dict[str, Drawn] = {}
        for key, given in workflow.given.items():
            value = self.sampler.draw(given, scope)
            if value is None:
                if given.skip:
                    continue
                raise NotBuilt("no_given")
            scope[key] = orjson.dumps(value).decode() if isinstance(value, list) else value
            drawn[key] = self._drawn_given(given, value)
        writes = any(not self.domain.tool(step.call).read_only for step in workflow.steps)
        text = self._words(self.rng.choice(workflow.asked_as), drawn, question=not writes)
        return Job(name, text, drawn, tuple(workflow.steps), workflow.answer, frozenset(workflow.given.keys() - drawn.keys()))

    def _phrases(self, tool: Tool, *, clause: bool) -> list[str]:
        entity = self.domain.blueprint.entities.get(tool.origin.entity)
        hand = self.domain.blueprint.tools.get(tool.key)
        phrases = hand.asked_as if hand else (entity.says.get(tool.key, []) if entity else [])
        return [p for p in phrases if not clause or is_imperative(p)]

    def _few(self, template: str, slots: list[str]) -> list[str]:
        """All slots that must be filled, and one or two of the others: nobody changes everything at once."""
        optional = [m.group(1) for m in _SLOT.finditer(template) if m.group(2) is not None]
        chosen = self.rng.sample(optional, min(len(optional), self.rng.randint(1, 2)))
        return [s for s in slots if s not in optional or s in chosen]

    def _complete(self, tool: Tool, arguments: Mapping[str, Any], slots: Sequence[str]) -> dict[str, Any]:
        """Exactly the arguments that the words name, and those that no words can leave out."""
        kept = {k: v for k, v in arguments.items() if k in slots}
        missing = [k for k in tool.parameters["required"] if k not in kept]
        if missing:
            raise NotBuilt("words_leave_out")
        for name in slots:
            if name in kept:
                continue
            like = tool.like.get(name)
            if like is not None and tool.origin.kind == "update":
                kept[name] = self._another_value(tool, name, like)
        return kept

    def _another_value(self, tool: Tool, name: str, like: str) -> Any:
        """A value of the same column, taken from some row."""
        entity, _, key = like.partition(".")
        rows = self.sampler.values(f"{entity}.{key}")
        if not rows:
            raise NotBuilt("no_values")
        value = self.rng.choice(rows)
        if name in tool.money:
            return value / 100
        return bool(value) if tool.parameters["properties"][name]["type"] == "boolean" else value

    def _drawn_argument(self, tool: Tool, name: str, value: Any, *, by_id: bool) -> Drawn:
        entity = tool.refers.get(name)
        if entity is not None:
            rows = tuple(self._described(entity, str(v), by_id=by_id) for v in (value if isinstance(value, list) else [value]))
            return Drawn(value, value, listed([r.text for r in rows]), rows)
        if isinstance(value, list):
            return self._listed(value)
        kind = self.kind(tool, name)
        stored = round(value * 100) if name in tool.money else (int(value) if isinstance(value, bool) else value)
        return Drawn(value, stored, mark(say(self.domain, value, kind, self.rng)))

    def _listed(self, values: list[Any]) -> Drawn:
        """Several plain values, each in words."""
        parts = tuple((v, say(self.domain, v, "enum" if isinstance(v, str) else "plain", self.rng)) for v in values)
        return Drawn(values, values, listed([mark(text) for _, text in parts]), parts=parts)

    def kind(self, tool: Tool, name: str) -> str:
        """The kind of value that an argument takes, as `language.say` knows it."""
        schema = tool.parameters["properties"][name]
        if name in tool.money:
            return "money"
        if name in tool.like:
            entity, _, key = tool.like[name].partition(".")
            return self.domain.tables[entity].columns[key].kind
        return "enum" if "enum" in schema else str(schema.get("format", schema["type"]))

    def _drawn_given(self, given: Given, value: Any) -> Drawn:
        if given.entity is not None:
            ids = value if isinstance(value, list) else [value]
            rows = tuple(self._described(given.entity, v) for v in ids)
            return Drawn(value, value, listed([r.text for r in rows]), rows)
        if isinstance(value, list):
            return self._listed(value)
        kind = "money" if given.money else "date" if given.date else "text" if given.text else "choice" if given.choice else "plain"
        if given.sql and isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            kind = "date"
        shown = value / 100 if kind == "money" else value
        return Drawn(shown, value, mark(say(self.domain, shown, kind, self.rng)))

    def _described(self, entity: str, row: str, *, by_id: bool = False) -> Description:
        description = self.describer.describe(entity, row, by_id=by_id)
        if description is None:
            raise NotBuilt("not_describable")
        return description


def listed(texts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def fill(template: str, drawn: Mapping[str, Drawn]) -> str:
    """A phrase with its slots filled; `{name?words }` shows its words only when there is a value. Raises NotBuilt."""

    def slot(match: re.Match[str]) -> str:
        value = drawn.get(match.group(1))
        if match.group(2) is not None:
            return "" if value is None else f"{match.group(3)}{value.text} "
        if value is None:
            raise NotBuilt("no_value")
        return value.text

    return re.sub(r"  +", " ", _SLOT.sub(slot, template)).strip()
