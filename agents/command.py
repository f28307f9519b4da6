"""A command line as an agent: one process that is told of each episode in lines of JSON, and answers in lines of JSON.

We write, one object a line:
  {"type": "begin", "briefing": text, "request": text, "tools": [schemas], "seed": number}
  {"type": "observe", "observations": [text, …]}, with "problem": text where the last line was no answer
To either it answers with one line:
  {"calls": [{"name": text, "arguments": object}, …], "text": text, "tokens": number}
Calls are made in order, and their results are the next observations. `text` and `tokens` may be left out; text without calls is said to the user
where there is one, and ends the episode with that answer elsewhere. An episode ends with a call of `finish`; the next line is the next `begin`.
Nothing else may be written to stdout; stderr is for anything.
A line that is no answer is the agent's mistake: it counts as a call of a tool that there is not. A process that is gone, or silent for too long,
is none: the episode is lost, not scored, and the next one has a new process. One that ends between episodes is begun again.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from agents.agent import Maker, Opening, Turn
from agents.budget import Account, Budget, Spent
from agents.lines import Gone, Lines
from envs.action import printable
from envs.speech import said, talks
from synthtools.task import Task
from synthtools.tool import ToolCall

SECONDS = 120.0
"""In which an answer must come."""
_SHOWN = 200


class NoAnswer(ValueError):
    """A line that is none; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and what it was when the rollout began."""

    line: str
    """As a shell would take it, though none is asked: `python my_agent.py --fast`."""
    digest: str
    """Of the files that the command line names."""
    seconds: float = SECONDS

    @property
    def identity(self) -> str:
        """The command line, and which version of its files."""
        return f"cmd:{self.line}{f':{self.digest}' if self.digest else ''}"


@dataclass(slots=True)
class CommandAgent(Account):
    """Whatever speaks the protocol."""

    command: Command
    _: KW_ONLY
    _lines: Lines | None = None
    _opening: Opening | None = None
    _problem: str = ""
    """What was wrong with the last line."""
    _begun: bool = False

    @property
    def name(self) -> str:
        """The last file that the command line names, or the program."""
        words = shlex.split(self.command.line)
        return Path(next((word for word in reversed(words) if Path(word).is_file()), words[0])).stem

    @property
    def identity(self) -> str:
        """The command line, and which version of its files."""
        return self.command.identity

    def begin(self, opening: Opening) -> None:
        """Forget the last episode; the process is told when it acts."""
        self._opening, self._begun, self._problem = opening, False, ""

    def act(self, observations: Sequence[str]) -> Turn:
        """Tell the process what came of its last turn, and read the next."""
        if self._opening is None:
            raise ValueError("act before begin")
        self.check(self.name)
        if self._begun:
            told = {"type": "observe", "observations": list(observations), **({"problem": self._problem} if self._problem else {})}
        else:
            told = _opened(self._opening)
        line = self._ask(orjson.dumps(told), fresh=not self._begun)
        self._begun = True
        turn, self._problem = self._turn(line, self._opening)
        self.spent += Spent(turn.tokens)
        return turn

    def close(self) -> None:
        """End the process."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _ask(self, message: bytes, *, fresh: bool) -> bytes:
        """The line that answers; ConnectionError, and no process, where none comes."""
        used = self._lines is not None
        try:
            if self._lines is None:
                self._lines = Lines(shlex.split(self.command.line))
            return self._lines.ask(message, time.monotonic() + self.command.seconds, fresh=fresh)
        except ConnectionError as error:
            self.close()
            if fresh and used and isinstance(error, Gone):
                return self._ask(message, fresh=fresh)
            raise ConnectionError(f"`{self.command.line}` {error}") from None

    def _turn(self, line: bytes, opening: Opening) -> tuple[Turn, str]:
        """The turn that a line means, and what is wrong with it."""
        try:
            return _turn_of(line, talks(opening.tools)), ""
        except NoAnswer as fault:
            text = printable(line[:_SHOWN].decode("utf-8", "replace"))
            return Turn((ToolCall("", f"no answer: {text}"),)), str(fault)


def _opened(opening: Opening) -> dict[str, Any]:
    """Without the task's id, which says its kind."""
    return {"type": "begin", "briefing": opening.briefing, "request": opening.request, "tools": list(opening.tools), "seed": opening.seed}


def _turn_of(line: bytes, to_user: bool) -> Turn:
    """The turn that an answer means. Raises NoAnswer."""
    try:
        answer = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NoAnswer(f"your last line was not JSON: {error}") from None
    if not isinstance(answer, dict):
        raise NoAnswer("your last line was not a JSON object")
    calls, text, tokens = answer.get("calls") or [], answer.get("text") or "", answer.get("tokens") or 0
    if not isinstance(calls, list) or not isinstance(text, str) or type(tokens) is not int or not 0 <= tokens < 2**53:
        raise NoAnswer("`calls` is a list, `text` is text, and `tokens` a whole number")
    if not calls and not text:
        raise NoAnswer("your last line had neither `calls` nor `text`")
    if not calls:
        return Turn((said(text, to_user),), text, tokens, spoken=True)
    return Turn(tuple(map(_call, calls)), text, tokens)


def _call(call: Any) -> ToolCall:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str) or not isinstance(call.get("arguments", {}), dict | str):
        raise NoAnswer("each of `calls` is an object with `name`, which is text, and `arguments`, which is an object")
    return ToolCall(call["name"], call.get("arguments", {}))


def command_agent(line: str, seconds: float = SECONDS, budget: Budget | None = None) -> Maker:
    """How to make the agent of a command line, in any process; its files are those of now."""
    return partial(_make, Command(line, files_digest(shlex.split(line)), seconds), budget or Budget())


def _make(command: Command, budget: Budget, tasks: Mapping[str, Task]) -> CommandAgent:
    return CommandAgent(command, budget=budget)


def files_digest(words: Sequence[str]) -> str:
    """Of the contents of the files that a command line gives its program, or else of the program; empty where that is found on the PATH."""
    files = [word for word in words[1:] if Path(word).is_file()] or [word for word in words[:1] if Path(word).is_file()]
    content = b"".join(hashlib.blake2b(Path(file).read_bytes()).digest() for file in files)
    return hashlib.blake2b(content, digest_size=6).hexdigest() if content else ""
