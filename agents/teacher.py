"""The teacher: replays a task's proven solution, and says in words what a good assistant would say beside the calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from agents.agent import Opening, Turn, abilities_of
from agents.phrases import LONGEST, amount, day, figure, in_words, listed, plain, say
from synthtools.fault import Injected, Unavailable
from synthtools.goal import Change
from synthtools.task import Task, resolve
from synthtools.tool import FAULTS, ToolCall

_TALKS = 1 / 6
"""Share of episodes in which something is said before the first look-up and the first change."""
_BRIEF = 1 / 3
"""Share of endings without an answer that only say that it is done."""
_RULE = 1 / 2
"""Share of refusals by a policy that give its text, where it fits."""
_VERBS = {"add": "create", "new": "create", "edit": "update", "change": "update"}
"""How a surface may call what a tool's key says."""
_COUNTED = re.compile(r"\bhow many (?:\w+ ){1,2}are\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[A-Z][^#*|]*\.")
"""A policy's text that can be quoted; some are documents, which begin with a heading."""
_NUMBERED = re.compile(r"[A-Za-z][\w/-]*\d[\w/-]*")
"""What is worth naming: an id with letters and a number."""


@dataclass(slots=True)
class SolutionAgent:
    """Replays the reference solution of the tasks that it was made with: the one agent that knows them."""

    tasks: Mapping[str, Task]
    name: str = "solution"
    identity: str = "solution"
    _speaker: Speaker | None = None
    _calls: list[ToolCall] = field(default_factory=list)
    _results: list[Any] = field(default_factory=list)
    """JSON results so far."""

    def begin(self, opening: Opening) -> None:
        """Turn to the task's solution."""
        self._speaker = Speaker(opening, self.tasks[opening.task])
        self._calls, self._results = [], []

    def act(self, observations: Sequence[str]) -> Turn:
        """The solution's next call, its references filled in from the results so far, and words where there is something to say."""
        if self._speaker is None:
            raise ValueError("act before begin")
        if self._calls:
            self._results += [orjson.loads(text) for text in observations]
        call = resolve(self._speaker.task.solution[len(self._results)], self._results)
        text = self._speaker.text(call, self._calls, self._results)
        self._calls.append(call)
        return Turn((call,), text)


class Speaker:
    """What is said in one episode: drawn from its seed, and true of the calls made and the results seen."""

    def __init__(self, opening: Opening, task: Task) -> None:
        self.task = task
        self._request = opening.request
        self._policies = dict(re.findall(r"^- (\w+): (.*)$", opening.briefing, re.MULTILINE))
        self._abilities = abilities_of(opening)
        self._acts = task.user is not None and bool(task.user.deeds)
        """A step is the user's to take."""
        self._changing = {_deed(ability) for ability in self._abilities}
        self._random = np.random.Generator(np.random.PCG64(opening.seed))
        self._talks = self._random.random() < _TALKS

    def text(self, call: ToolCall, calls: list[ToolCall], results: list[Any]) -> str:
        """What goes beside a call, after these calls and results; mostly nothing before the end."""
        if call.name == "finish":
            return self._ending(_arguments(call), calls, results)
        if self.task.faults and results and (noticed := self._noticed(results, again=bool(calls) and calls[-1].name == call.name)):
            return self._say(noticed)
        if results and _is_error(results[-1]):
            return self._say("again" if calls[-1].name == call.name else "error")
        if not self._talks:
            return ""
        changes = self._is_change(call)
        if not calls:
            return "" if changes else self._say("look")
        return self._say("act") if changes and not any(map(self._is_change, calls)) else ""

    def _noticed(self, results: list[Any], *, again: bool) -> str:
        """The case of what the last result shows of the task's faults, or nothing; `again`: the next call is of the same tool."""
        last, code = results[-1], _code(results[-1])
        kinds = {fault.type for fault in self.task.faults}
        if code in ("unexpected_argument", "missing_argument"):
            return "outdated" if kinds & {"changed_schema", "misleading_docs"} else ""
        if code == "unavailable" and not again:
            return "error"
        if code:
            return code if code in FAULTS else ""
        for kind, key in (("stale_read", "as_of"), ("partial", "partial")):
            if kind in kinds and isinstance(last, Mapping) and key in last:
                return key
        texts = {fault.text for fault in self.task.faults if isinstance(fault, Injected)}
        shown = [{text for _, text in _cells(result)} & texts for result in results]
        return "injected" if shown[-1] and not any(shown[:-1]) else ""

    def _ending(self, ending: Mapping[str, Any], calls: list[ToolCall], results: list[Any]) -> str:
        answered, outcome, about = "answer" in ending, ending.get("outcome", "done"), plain(ending.get("about", ""))
        answer = self._answer(ending["answer"], instead=outcome != "done") if answered else ""
        if outcome == "done":
            made = [(call, result) for call, result in zip(calls, results, strict=True) if self._is_change(call) and not _is_error(result)]
            return self._done_with(answer, bool(made)) if answered else self._done(made)
        refusal = (self._not_allowed if outcome == "not_allowed" else self._impossible)(about, LONGEST - len(answer) - 1)
        return f"{refusal} {answer}".strip()

    def _done_with(self, answer: str, changed: bool) -> str:
        return (self._say("done with", a=answer) if changed else "") or answer

    def _done(self, made: list[tuple[ToolCall, Any]]) -> str:
        """A confirmation; it names a row where one change was made, and what became of it is in the goal."""
        if self._acts:
            return self._say("together")
        count = {2: "both", 3: "all three"}.get(len(made), "") if self.task.kind == "several" else ""
        if count:
            return self._say(count)
        if self._random.random() < _BRIEF or len(made) != 1:
            return self._say("done")
        (call, result), changes = made[0], self.task.goal.alternatives[0].changes
        named = [value for value in _arguments(call).values() if isinstance(value, str)]
        seen = set(_cells(result))
        given = {change.key: change for change in changes if change.op != "insert" and change.key in named}
        touched = next((given[key] for key in named if key in given and _NUMBERED.fullmatch(key)), None)
        if touched is not None:
            return self._touched(touched, seen)
        added = [change.key for change in changes if change.op == "insert" and ("id", change.key) in seen and _NUMBERED.fullmatch(change.key)]
        return self._say("added", v=added[0]) if len(added) == 1 else self._say("done")

    def _touched(self, change: Change, seen: set[tuple[str, str]]) -> str:
        if change.op == "delete":
            return self._say("removed", v=change.key)
        state = str(change.after.get("state", ""))
        if ("state", state) in seen:
            return self._say("state", v=change.key, s=in_words(state))
        return self._say("updated", v=change.key)

    def _answer(self, given: Any, *, instead: bool) -> str:
        """A sentence with the answer as it was given, written as its type is."""
        wanted = next((a.answer for a in self.task.goal.alternatives if a.answer is not None), None)
        kind = wanted.type if wanted else "word"
        if isinstance(given, list | tuple):
            names = [plain(value) for value in given]
            case = "ids" if len(names) > 1 else "id" if names else "none"
            return self._say(case, v=listed(names)) or self._say("long")
        truth = {"true": "yes", "false": "no"}.get(str(given).lower())
        if kind == "word" and truth:
            return self._say(truth)
        value = self._written(kind, given)
        case = "there are" if kind == "number" and value != "1" and _COUNTED.search(self._request) else kind
        return self._say("instead" if instead and kind == "id" else case, v=value) or self._say("long")

    def _written(self, kind: str, given: Any) -> str:
        writers: Mapping[str, Callable[[Any], str]] = {
            "money": amount,
            "number": figure,
            "date": lambda value: day(value, self._random),
            "word": in_words,
        }
        try:
            return writers.get(kind, plain)(given)
        except (ValueError, TypeError):
            return plain(given)

    def _impossible(self, about: str, room: int) -> str:
        down = any(isinstance(fault, Unavailable) and not fault.times for fault in self.task.faults)
        case = "down" if down else "neither" if self._acts else "impossible" if about in self._abilities else "blocked" if about else "cannot"
        return self._say(case, room, v=about) or self._say("cannot", room)

    def _not_allowed(self, policy: str, room: int) -> str:
        if any(rule.name == policy for rule in self.task.rules):
            return self._say(policy, room) or self._say("forbidden", room)
        name, text = in_words(policy), plain(self._policies.get(policy, ""))
        full = self._say("rule", room, v=name, t=text) if _SENTENCE.fullmatch(text) and self._random.random() < _RULE else ""
        return full or (self._say("not allowed", room, v=name) if name else "") or self._say("forbidden", room)

    def _say(self, case: str, room: int = LONGEST, **values: str) -> str:
        return say(case, values, self._random, room=room)

    def _is_change(self, call: ToolCall) -> bool:
        return _deed(call.name) in self._changing


def _deed(name: str) -> frozenset[str]:
    """What a tool does, however its surface puts it: `add_boat` and `boat_create` are create boat."""
    return frozenset(_VERBS.get(word, word) for word in re.split(r"[\s_]+", name))


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    return call.arguments if isinstance(call.arguments, Mapping) else {}


def _is_error(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("error"))


def _code(result: Any) -> str:
    """The code of an error; empty where there is none."""
    error = result.get("error") if isinstance(result, Mapping) else None
    return str(error.get("code", "") if isinstance(error, Mapping) else error or "")


def _cells(value: Any) -> list[tuple[str, str]]:
    """Every (key, text) in a result."""
    if isinstance(value, Mapping):
        own = [(key, entry) for key, entry in value.items() if isinstance(entry, str)]
        return [*own, *(cell for entry in value.values() for cell in _cells(entry))]
    return [cell for entry in value for cell in _cells(entry)] if isinstance(value, list) else []
