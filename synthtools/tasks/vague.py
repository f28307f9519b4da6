"""What a request leaves out: vague words in its place, what the user then knows, and how one asks for it."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthtools import language as words
from synthtools.entity import called
from synthtools.hearing import Sort, Topic
from synthtools.number import plural_of
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.job import Drawn, Job
from synthtools.tasks.maker import Maker
from synthtools.tool import Tool
from synthtools.user import Fact, Given

_ROWS = ("a certain {n}", "one of the {p}", "a {n} that I'll name to you", "the {n} I have in mind", "one of our {p}", "a {n} (ask me which)")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "day": ("a day that I'll tell you", "a certain day", "the day we talked about", "a date I have yet to give you"),
    "money": ("a sum that I'll tell you", "a certain amount", "the amount I have here", "the sum we agreed"),
    "number": ("a number that I'll tell you", "a certain number", "the figure I have here"),
    "phone": ("a number that I'll read out to you", "a number that I have here"),
    "email": ("an address that I'll spell out for you", "a mail address that I have here"),
    "name": ("somebody whose name I'll give you", "somebody new"),
}
_COUNTS = ("so many", "some")
"""For a number before what it counts."""
_SORTS: Mapping[str, Sort] = {
    **{"money": "money", "date": "day", "datetime": "day", "date-time": "day", "int": "number", "integer": "number", "number": "number"},
    **{"phone": "phone", "email": "email", "person": "name"},
}
"""Kind of value → sort of fact; what has none is not left out."""
_ASKED: Mapping[str, tuple[str, ...]] = {
    "row": ("Which {n} do you mean?", "Could you tell me which {n} it is?", "Which {n} is it about?"),
}
_ASKED_ELSE = ("What should I put for the {n}?", "Could you tell me the {n}, please?")
_LABELS: Mapping[str, str] = {
    **{"arrives": "arrival date", "born": "date of birth", "bought on": "date of purchase", "contract until": "end date of the contract"},
    **{"dated": "date", "delivered on": "delivery date", "draught cm": "draught in cm", "email": "email address", "ends": "end date"},
    **{"first": "first day", "happened on": "date when it happened", "insured until": "insurance expiry date", "issued on": "date of issue"},
    **{"joined": "joining date", "kg": "weight in kg", "kwh": "meter reading in kWh", "leaves": "leaving date", "leaves on": "leaving date"},
    **{"length cm": "length in cm", "member until": "end date of the membership", "monday": "Monday", "percent": "percentage"},
    **{"phone": "phone number"},
    **{"planned for": "planned date", "since": "starting date", "starts": "starting date", "starts on": "starting date"},
    **{"started at": "starting time"},
    **{"term ends": "end date of the term", "until": "end date", "valid until": "expiry date", "wanted by": "date by which it is wanted"},
    **{"warranty until": "warranty expiry date"},
}
"""What people call a value whose name is no noun, or half of one."""
_GENERAL = frozenset("address date day end number time what which when month".split())
"""Words of labels that name no fact of its sort rather than another."""
_STOP = frozenset(
    "how many the and for from with that this what which when only last first into onto over than more most other such must will".split()
)
_GIVEN: tuple[Given, ...] = ("at_once", "at_once", "at_once", "when_pressed", "corrected")


@dataclass(frozen=True, slots=True)
class Gap:
    """A value that a job's words leave out."""

    fact: Fact
    vague: str
    """What stands there instead."""
    shown: str
    """The marked words that stood there."""


def gaps(maker: Maker, job: Job) -> list[Gap]:
    """One or two values of a job of one tool that only the user knows. Raises NotBuilt where none can be left out."""
    tool = maker.domain.tool(job.key)
    able = {name: sort for name, drawn in job.drawn.items() if (sort := _sort(maker, tool, name, drawn)) and job.phrase.count(drawn.text) == 1}
    if not able:
        raise NotBuilt("nothing_to_leave_out")
    names = maker.rng.sample(sorted(able), min(len(able), 1 if maker.rng.random() < 0.6 else 2))
    return [_gap(maker, tool, job, name, able[name]) for name in names]


def _sort(maker: Maker, tool: Tool, name: str, drawn: Drawn) -> Sort | None:
    if isinstance(drawn.value, list):
        return None
    return "row" if drawn.rows else _SORTS.get(maker.jobs.kind(tool, name))


def _gap(maker: Maker, tool: Tool, job: Job, name: str, sort: Sort) -> Gap:
    drawn, rng = job.drawn[name], maker.rng
    noun = _noun(maker, tool, name, drawn) if drawn.rows else label_of(name, sort)
    given: Given = rng.choice(_GIVEN)
    wrong = _wrong(maker, tool, name, drawn, sort) if given == "corrected" else ""
    unit = _unit(job.phrase, drawn.text)
    if drawn.rows:
        vague = rng.choice(_ROWS).replace("{n}", noun).replace("{p}", plural_of(noun))
        vague = re.sub(r"^a (?=[aeiou])", "an ", vague)
    else:
        vague = rng.choice(_COUNTS if unit and sort == "number" else _VALUES[sort])
    topic = Topic(sort, tuple(_topic_words(maker, tool, name, drawn, (unit, noun))))
    fact = Fact(name, noun, topic, words.finished(drawn.text), "at_once" if given == "corrected" and not wrong else given, wrong)
    return Gap(fact, vague, drawn.text)


def label_of(name: str, sort: Sort) -> str:
    """What people call a value by the name of its argument or column."""
    own = name.replace("_", " ").replace("how many", "number")
    if own in _LABELS:
        return _LABELS[own]
    return f"{own.removesuffix(' on')} date" if sort == "day" and not re.search(r"\b(?:date|day|time|month|monday)\b", own) else own


def topic_words(label: str) -> list[str]:
    """The words of a label that name it among others of its sort."""
    return [word for word in label.lower().split() if word not in _GENERAL and len(word) > 2]


def _noun(maker: Maker, tool: Tool, name: str, drawn: Drawn) -> str:
    """What people call a row that is left out."""
    own = name.removesuffix("_id").replace("_", " ")
    entity = drawn.rows[0].entity
    alone = sum(entity == other for other in tool.refers.values()) == 1
    noun = called(entity, maker.domain.blueprint.entities[entity])
    return noun if alone or noun.endswith(own) else own if own.endswith(noun) else f"{own} {noun}"


def _unit(phrase: str, text: str) -> str:
    """The word right after a value, such as what it counts."""
    found = re.match(r" ([a-z]+)", phrase.partition(text)[2])
    return found.group(1) if found else ""


def _topic_words(maker: Maker, tool: Tool, name: str, drawn: Drawn, said: tuple[str, str]) -> list[str]:
    """What names a fact in a question: the argument's own words; of a row what people call it, of a value what describes it."""
    entities = maker.domain.blueprint.entities
    found, (unit, label) = name.removesuffix("_id").split("_"), said
    if drawn.rows:
        entity = drawn.rows[0].entity
        if sum(entity == other for other in tool.refers.values()) == 1:
            found += [part for noun in (*entities[entity].called, entity) for part in re.split(r"[\s_]+", noun)]
    else:
        nouns = {part for key, entity in entities.items() for noun in (*entity.called, key) for part in re.split(r"[\s_]+", noun)}
        about = str(tool.parameters["properties"][name].get("description", "")).lower()
        found += [word for word in re.findall(r"[a-z]{4,}", about) if word not in nouns]
        found += [unit] if len(unit) > 3 else []
        found += topic_words(label)
    return list(dict.fromkeys(word for word in found if len(word) > 2 and word not in _STOP))


def _wrong(maker: Maker, tool: Tool, name: str, drawn: Drawn, sort: Sort) -> str:
    """Another value in words, of the same kind; empty where none comes to mind."""
    if drawn.rows:
        row = drawn.rows[0]
        other = maker.rng.choice([i for i in maker.jobs.sampler.ids(row.entity) if i != row.id] or [row.id])
        found = maker.describer.describe(row.entity, other)
        return "" if found is None or found.id == row.id else words.finished(found.text)
    value = _other_value(drawn.value, sort, maker.rng)
    said = "" if value is None else words.finished(words.say(maker.domain, value, maker.jobs.kind(tool, name), maker.rng))
    return "" if said == words.finished(drawn.text) else said


def _other_value(value: Any, sort: Sort, rng: random.Random) -> Any:
    if sort in ("number", "money"):
        return value + rng.randint(1, 3)
    if sort != "day":
        return None
    day = datetime.date.fromisoformat(str(value)[:10]) + datetime.timedelta(days=rng.randint(1, 5))
    return f"{day.isoformat()}{str(value)[10:]}"


def leave_out(phrase: str, left: Sequence[Gap]) -> str:
    """A job's words with vague ones in place of what is left out."""
    for gap in left:
        phrase = phrase.replace(gap.shown, gap.vague)
        if gap.vague[-1:] == "s":
            phrase = phrase.replace(f"{gap.vague}'s", f"{gap.vague}'")
    return phrase


def ask_for(left: Sequence[Gap], rng: random.Random) -> str:
    """A question about everything that is left out."""
    return " ".join(rng.choice(_ASKED.get(gap.fact.topic.sort, _ASKED_ELSE)).replace("{n}", gap.fact.label) for gap in left)
