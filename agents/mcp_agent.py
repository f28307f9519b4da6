"""A program that is a client of MCP as an agent: each of its episodes is an MCP server on loopback, with the task's tools and nothing else.

The program is run once an episode. `{url}` in its command line, and the environment variable `SYNTHTOOLS_MCP_URL`, is the endpoint, where the
prompt `task` says what is to be done; `SYNTHTOOLS_SEED` is for what it draws. The episode ends with its call of `finish`; the result of the call
that ends it says no more than that. A program that leaves before, without an error, has ended it with what it printed as the answer; one that
leaves with an error, or makes no call for too long, gave no answer: the episode is lost, not scored.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import IO, Any

import orjson

from agents.agent import Maker, Opening, Turn
from agents.command import SECONDS, files_digest
from agents.lines import end_group, exit_code, last_words
from envs.action import printable
from envs.adapters.episodes import Answer, NoEpisode
from envs.speech import finish_call
from synthtools.task import Task
from synthtools.tool import ToolCall

URL = "SYNTHTOOLS_MCP_URL"
SEED = "SYNTHTOOLS_SEED"
_LOOK = 0.02
"""Seconds between two looks at whether the program is still there."""
_PATIENCE = 2.0
"""Seconds in which a program leaves by itself whose episode is over."""
_OVER = Answer('{"over":true}', None, True)


@dataclass(slots=True)
class Bridge:
    """An episode that someone else plays out: its calls are asked for here, and answered there. Two threads meet in it."""

    opening: str
    tools: Sequence[Mapping[str, Any]]
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """A key, and so not from a seed; it enters no record."""
    asked: SimpleQueue[ToolCall] = field(default_factory=SimpleQueue)
    told: SimpleQueue[Answer] = field(default_factory=SimpleQueue)
    over: bool = False
    called: bool = False
    """Whether anything was ever asked for."""
    _one: Lock = field(default_factory=Lock)

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Ask for a call and wait for what it came to; one after another."""
        with self._one:
            if self.over:
                raise NoEpisode("There is no such episode any more: it is over.")
            self.called = True
            self.asked.put(ToolCall(name, dict(arguments)))
            return self.told.get()

    def end(self) -> None:
        """Answer whoever waits, and nobody after."""
        self.over = True
        self.told.put(_OVER)


class Program:
    """A process in a group of its own, for one episode."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self._output, self._errors = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  closed with the process
        files: list[IO[bytes]] = [self._output, self._errors]
        try:
            self._process = subprocess.Popen(
                list(words), stdin=subprocess.PIPE, stdout=self._output, stderr=self._errors, env=dict(environ), start_new_session=True
            )
        except OSError as error:
            for file in files:
                file.close()
            raise ConnectionError(f"cannot be run: {error.strerror}") from None
        pipes = [self._process.stdin] if self._process.stdin is not None else []
        self.close = weakref.finalize(self, end_group, self._process, [*pipes, self._output], self._errors, _PATIENCE)
        """Ends the process; also when this object, or the interpreter, is gone."""

    def ended(self) -> bool:
        """Whether it has left."""
        return exit_code(self._process, 0.0) is not None

    def answer(self) -> str:
        """What it printed, once it has left. ConnectionError where it left with an error."""
        code = exit_code(self._process, 0.0)
        if code:
            raise ConnectionError(f"ended with code {code}{last_words(self._errors)}")
        self._output.seek(0)
        return printable(self._output.read().decode("utf-8", "replace")).strip()


@dataclass(slots=True)
class McpAgent:
    """Whatever is a client of MCP."""

    line: str
    """As a shell would take it, though none is asked."""
    digest: str
    """Of the files that the command line names."""
    seconds: float = SECONDS
    """In which a call must come."""
    _opening: Opening | None = None
    _bridge: Bridge | None = None
    _program: Program | None = None
    _server: ExitStack | None = None
    _url: str = ""

    @property
    def name(self) -> str:
        """The last file that the command line names, or the program."""
        words = shlex.split(self.line)
        return Path(next((word for word in reversed(words) if Path(word).is_file()), words[0])).stem

    @property
    def identity(self) -> str:
        """The command line, and which version of its files."""
        return f"mcp:{self.line}{f':{self.digest}' if self.digest else ''}"

    def begin(self, opening: Opening) -> None:
        """End the last episode; the program of this one is run when it acts."""
        self._end_episode()
        self._opening = opening

    def act(self, observations: Sequence[str]) -> Turn:
        """Answer the program's last call, and wait for its next."""
        if self._opening is None:
            raise ValueError("act before begin")
        try:
            if self._bridge is None:
                self._start(observations[-1], self._opening)
            elif self._program is not None and not self._program.ended():
                self._bridge.told.put(Answer(observations[-1], _error_of(observations[-1]), False))
            return self._next()
        except ConnectionError as error:
            self._end_episode()
            raise ConnectionError(f"`{self.line}` {error}") from None

    def close(self) -> None:
        """End the program and the server."""
        self._end_episode()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _start(self, observation: str, opening: Opening) -> None:
        from envs.adapters.mcp_http import episode_path

        self._bridge = Bridge(observation, opening.tools)
        url = self._serve() + episode_path(self._bridge.token)
        words = [word.replace("{url}", url) for word in shlex.split(self.line)]
        self._program = Program(words, {**os.environ, URL: url, SEED: str(opening.seed)})

    def _serve(self) -> str:
        """The URL of this agent's server, which is started for its first episode."""
        if self._server is None:
            from envs.adapters.mcp_http import agents_app
            from envs.adapters.web import listen, serving

            self._server = ExitStack()
            self._url = self._server.enter_context(serving(agents_app(self._find), listen()))
        return self._url

    def _find(self, token: str) -> Bridge:
        bridge = self._bridge
        if bridge is None or not secrets.compare_digest(bridge.token.encode(), token.encode("utf-8", "replace")):
            raise NoEpisode("There is no such episode any more: it is over.")
        return bridge

    def _next(self) -> Turn:
        """The program's next call, or its end as a turn. ConnectionError where neither comes."""
        bridge, program = self._bridge, self._program
        if bridge is None or program is None:
            raise ConnectionError("was not begun")
        deadline = time.monotonic() + self.seconds
        while True:
            ended = program.ended()  # before the look, so that a call which was made first is not missed
            try:
                return Turn((bridge.asked.get(timeout=_LOOK),))
            except Empty:
                if ended:
                    text = program.answer()
                    if not (text or bridge.called):
                        raise ConnectionError("left without a call or an answer") from None
                    return Turn((finish_call(text),), text, spoken=True)
                if time.monotonic() > deadline:
                    raise ConnectionError("made no call in time") from None

    def _end_episode(self) -> None:
        bridge, program, self._bridge, self._program = self._bridge, self._program, None, None
        if bridge is not None:
            bridge.end()
        if program is not None:
            program.close()


def mcp_agent(line: str, seconds: float = SECONDS) -> Maker:
    """How to make the agent of a command line, in any process; its files are those of now."""
    return partial(_make, line, files_digest(shlex.split(line)), seconds)


def _make(line: str, digest: str, seconds: float, tasks: Mapping[str, Task]) -> McpAgent:
    return McpAgent(line, digest, seconds)


def _error_of(observation: str) -> str | None:
    """The code of the mistake that a result tells of, in whatever form its domain tells it."""
    result = orjson.loads(observation)
    error = result.get("error") if isinstance(result, dict) else None
    if isinstance(error, dict):
        error = error.get("code")
    return error if isinstance(error, str) and error else None
