"""Training samples: an export's conversations as lessons, and these as token ids with what the assistant says marked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agents.lesson import Shape, calls_of, make_lesson
from agents.students.format import ChatFormat
from synthtools.seed import derive


class DataError(ValueError):
    """Training data that cannot be used; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Conversation:
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
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]


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


def read_conversations(path: Path) -> list[Conversation]:
    """The rows of `train.jsonl`, or of the folder or the run that holds it, in their order. Raises DataError."""
    found = next((file for file in (path, path / "train.jsonl", path / "export" / "train.jsonl") if file.is_file()), None)
    if found is None:
        raise DataError(f"{path}: no export here; give a train.jsonl, or the folder that `synthtools export` wrote")
    rows = []
    for number, line in enumerate(found.read_bytes().splitlines(), 1):
        try:
            rows.append(_conversation(orjson.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{found}:{number}: is no conversation as `synthtools export` writes them ({type(error).__name__}: {error})") from None
    if not rows:
        raise DataError(f"{found}: holds no conversation")
    return rows


def _conversation(row: Mapping[str, Any]) -> Conversation:
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
    return Conversation(
        *(row["task"], row["trial"], row["kind"], row["domain"], row["split"]),
        outcome=str(ending.get("outcome", "")) if isinstance(ending, dict) else "",
        reads=frozenset(row["reads"]),
        messages=messages,
        tools=tools,
    )


def make_samples(rows: Iterable[Conversation], wanted: int, shape: Shape, spoken_to: ChatFormat, seed: int) -> Samples:
    """Samples of so many conversations (0: all), drawn by the seed: each larger choice holds the smaller ones.

    What is cut to fit `shape.max_tokens` loses distractors, then its last turns.
    """
    made: list[Sample] = []
    kinds: Counter[str] = Counter()
    domains: set[str] = set()
    whole = dropped = 0
    for row in sorted(rows, key=lambda row: derive(seed, row.task, row.trial)):
        if wanted and len(made) == wanted:
            break
        messages = row.messages if shape.lookups else without_lookups(row)
        lesson = make_lesson(messages, row.tools, shape, derive(seed, row.task, row.trial), _size(spoken_to))
        if lesson is None:
            dropped += 1
            continue
        made.append(Sample(*spoken_to.sample(lesson.messages, lesson.tools)))
        whole += lesson.messages[-1]["role"] == "assistant" and len(lesson.messages) >= len(messages)
        kinds[row.kind] += 1
        domains.add(row.domain)
    return Samples(made, _digest(made), dict(sorted(kinds.items())), sorted(domains), whole, dropped)


def without_lookups(row: Conversation) -> list[Mapping[str, Any]]:
    """The conversation without the turns in which nothing but reading is done, and without what they read."""
    kept: list[Mapping[str, Any]] = []
    reading = False
    for message in row.messages:
        if message["role"] == "assistant":
            calls = message.get("tool_calls") or ()
            reading = bool(calls) and all(call["function"]["name"] in row.reads for call in calls)
        if not (reading and message["role"] in ("assistant", "tool")):
            kept.append(message)
    return kept


def _size(spoken_to: ChatFormat) -> Callable[[Any], int]:
    return lambda lesson: spoken_to.length(lesson.messages, lesson.tools)


def _digest(samples: Iterable[Sample]) -> str:
    total = hashlib.sha256()
    for sample in samples:
        total.update(orjson.dumps([sample.ids, sample.spoken]))
    return total.hexdigest()
