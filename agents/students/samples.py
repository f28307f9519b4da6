"""Training samples: an export's conversations as lessons, and these as token ids with what the assistant says marked."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from agents.lesson import Lesson, Shape, Told, joined, make_lesson
from agents.needs import calls_of, needs_from_text
from agents.students.format import ChatFormat
from synthtools.finish import NAME as FINISH
from synthtools.seed import derive

WAITING = 4
"""Lessons of one opening that wait for more conversations, at most."""


class DataError(ValueError):
    """Training data that cannot be used; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of an export."""

    task: str
    trial: int
    kind: str
    domain: str
    split: str
    outcome: str
    """Of its `finish`; empty where it has none."""
    reads: frozenset[str]
    """Those of its tools that only read."""
    told: Told


@dataclass(frozen=True, slots=True)
class Sample:
    """One lesson as tokens."""

    ids: Sequence[int]
    spoken: Sequence[bool]
    """Which of them the assistant says: those that the loss counts."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a model is trained on, and what it was made from."""

    samples: Sequence[Sample]
    digest: str
    """SHA-256 over the token ids of all samples, in order."""
    conversations: int
    """In all samples."""
    kinds: Mapping[str, int]
    domains: Sequence[str]
    whole: int
    """Conversations that fit to their end."""
    dropped: int
    """Conversations whose first turn does not fit."""

    @property
    def tokens(self) -> int:
        """In all samples."""
        return sum(len(sample.ids) for sample in self.samples)

    @property
    def spoken(self) -> int:
        """Tokens that the loss counts."""
        return sum(sum(sample.spoken) for sample in self.samples)


def read_examples(path: Path) -> list[Example]:
    """The rows of `train.jsonl`, or of the folder or the run that holds it, in their order; of `all.jsonl` those that may be learned from.

    Raises DataError.
    """
    found = next((file for file in (path, path / "train.jsonl", path / "export" / "train.jsonl") if file.is_file()), None)
    if found is None:
        raise DataError(f"{path}: no export here; give a train.jsonl, or the folder that `synthtools export` wrote")
    rows: list[Example] = []
    number = 0
    for number, line in enumerate(found.read_bytes().splitlines(), 1):
        try:
            row = orjson.loads(line)
            rows += [_example(row)] if row["success"] and row["valid"] else []
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{found}:{number}: is no conversation as `synthtools export` writes them ({type(error).__name__}: {error})") from None
    if not rows:
        raise DataError(f"{found}: holds no conversation{' that succeeded and is valid' if number else ''}")
    return rows


def _example(row: Mapping[str, Any]) -> Example:
    messages, tools = row["messages"], orjson.loads(row["tools"])
    if not any(message["role"] == "assistant" for message in messages):
        raise ValueError("the assistant says nothing")
    if not all(isinstance(message["content"], str) for message in messages):
        raise ValueError("content is not text")
    list(calls_of(messages))
    if not isinstance(tools, list) or not all(isinstance(tool["function"]["name"], str) for tool in tools):
        raise ValueError("tools is not a list of tools")
    calls = messages[-1].get("tool_calls")
    ending = calls[-1]["function"]["arguments"] if calls else {}
    return Example(
        *(row["task"], row["trial"], row["kind"], row["domain"], row["split"]),
        outcome=str(ending.get("outcome", "")) if isinstance(ending, dict) else "",
        reads=frozenset(row["reads"]),
        told=Told(messages, tools, needs_from_text(row["needs"])),
    )


def make_samples(
    rows: Iterable[Example], wanted: int, shape: Shape, spoken_to: ChatFormat, seed: int, readily: Mapping[str, float] | None = None
) -> Samples:
    """Samples of so many conversations (0: all), drawn by the seed: each larger choice holds the smaller ones.

    `readily`: kind → its weight in the draw, 1 if not given; without replacement, as Efraimidis and Spirakis (2006) do it.
    What is cut to fit `shape.max_tokens` loses distractors, then its last turns, or is left out where the shape wants it whole.
    """
    weights = readily or {}
    drawn = sorted(rows, key=lambda row: -math.log1p(-(derive(seed, row.task, row.trial) >> 11) / 2**53) / weights.get(row.kind, 1.0))
    table = _Table(shape, spoken_to, seed)
    for row in drawn:
        if wanted and table.seated == wanted:
            break
        table.seat(row)
    table.clear()
    domains = sorted({row.domain for row in table.taken})
    kinds = Counter(row.kind for row in table.taken)
    return Samples(table.samples, _digest(table.samples), len(table.taken), dict(sorted(kinds.items())), domains, table.whole, table.dropped)


class _Table:
    """Where conversations wait until a lesson is full."""

    def __init__(self, shape: Shape, spoken_to: ChatFormat, seed: int) -> None:
        self.samples: list[Sample] = []
        self.taken: list[Example] = []
        self.whole = self.dropped = 0
        self._shape, self._format, self._seed = shape, spoken_to, seed
        self._waiting: dict[tuple[str, str], list[tuple[list[Example], Lesson]]] = {}
        """(domain, opening) → lessons that may hold more, each with its conversations."""

    @property
    def seated(self) -> int:
        """Conversations in lessons so far."""
        return len(self.taken)

    def seat(self, row: Example) -> None:
        """Put a conversation beside others of its opening, or by itself, or leave it out where it fits nowhere."""
        waiting = self._waiting.setdefault((row.domain, str(row.told.messages[0]["content"])), [])
        for place, (group, _) in enumerate(waiting):
            lesson = self._lesson([*group, row], whole=True)
            if lesson is not None:
                del waiting[place]
                self._keep(waiting, [*group, row], lesson)
                return
        lesson = self._lesson([row], whole=self._shape.whole)
        if lesson is None:
            self.dropped += 1
        else:
            self._keep(waiting, [row], lesson)

    def clear(self) -> None:
        """Finish the lessons that still wait."""
        for waiting in self._waiting.values():
            self._finish(waiting, 0)

    def _keep(self, waiting: list[tuple[list[Example], Lesson]], group: list[Example], lesson: Lesson) -> None:
        row = group[-1]
        self.taken.append(row)
        ended = _ended(lesson)
        self.whole += ended
        waiting.append((group, lesson))
        if len(group) >= self._shape.requests or not _ended(lesson, alone=True):
            self._write(waiting.pop()[1])
        self._finish(waiting, WAITING)

    def _finish(self, waiting: list[tuple[list[Example], Lesson]], most: int) -> None:
        """Write lessons until no more than so many wait, those first that have waited longest."""
        while len(waiting) > most:
            self._write(waiting.pop(0)[1])

    def _write(self, lesson: Lesson) -> None:
        self.samples.append(Sample(*self._format.sample(lesson.messages, lesson.tools)))

    def _lesson(self, rows: Sequence[Example], *, whole: bool) -> Lesson | None:
        together = joined([_told(row, self._shape) for row in rows])
        if together is None:
            return None
        seed = derive(self._seed, rows[0].task, rows[0].trial)
        return make_lesson(together, replace(self._shape, whole=whole), seed, lambda lesson: self._format.length(lesson.messages, lesson.tools))


def _told(row: Example, shape: Shape) -> Told:
    return row.told if shape.lookups else replace(row.told, messages=without_lookups(row))


def _ended(lesson: Lesson, *, alone: bool = False) -> bool:
    """Whether a lesson's last turn ends the conversation; `alone`: and does nothing else, so that another may follow."""
    names = [call["function"]["name"] for call in lesson.messages[-1].get("tool_calls") or ()]
    return names == [FINISH] if alone else FINISH in names


def without_lookups(row: Example) -> list[Mapping[str, Any]]:
    """The conversation without the turns in which nothing but reading is done, and without what they read."""
    kept: list[Mapping[str, Any]] = []
    reading = False
    for message in row.told.messages:
        if message["role"] == "assistant":
            calls = message.get("tool_calls") or ()
            reading = bool(calls) and all(call["function"]["name"] in row.reads for call in calls)
        if not (reading and message["role"] in ("assistant", "tool")):
            kept.append(message)
    return kept


def _digest(samples: Iterable[Sample]) -> str:
    total = hashlib.sha256()
    for sample in samples:
        total.update(orjson.dumps([sample.ids, sample.spoken]))
    return total.hexdigest()
