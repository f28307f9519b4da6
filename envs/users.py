"""Whoever hears what the agent says and answers: the task's own scripted user, or another in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from synthtools.arguments import ArgumentError
from synthtools.backend import Backend
from synthtools.deed import act, heard_in, with_outcome
from synthtools.domain import Domain
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND, reply, reply_content, said_in

__all__ = ["RESPOND", "ScriptedUser", "User", "acting", "respond"]


class User(Protocol):
    """Someone to talk to. Forks and pickles of an environment deep-copy and pickle its user, with all that it remembers.

    One that has `told(reply)` is told each reply as the agent hears it: its own words, and how what it did went.
    """

    def begin(self, task: Task) -> None:
        """Forget the last episode; from here on be the one who asks for this task, which has a user."""

    def hear(self, text: str) -> str:
        """The reply to what the agent said; of what the user does, how it went is added to it."""

    @property
    def gone(self) -> bool:
        """Whether the user has left: what is said next finds nobody there, and ends the episode as a limit does."""


@dataclass(slots=True)
class ScriptedUser:
    """The user that a task describes."""

    heard: list[str] = field(default_factory=list)
    """What the agent has said in this episode."""
    gone: bool = False
    _task: Task | None = None

    def begin(self, task: Task) -> None:
        """Take the part of the task's user."""
        self._task, self.heard, self.gone = task, [], False

    def recall(self, task: Task, calls: Iterable[tuple[ToolCall, ToolResult]]) -> None:
        """Take the part in the middle of an episode, after these calls."""
        self.begin(task)
        for text in heard_in(calls):
            self.hear(text)

    def hear(self, text: str) -> str:
        """The reply that the script has; ValueError before an episode, or where its task has no user."""
        if self._task is None or self._task.user is None:
            raise ValueError("there is no user to reply")
        self.heard.append(text)
        said = reply(self._task.user, self.heard)
        self.gone = said.gone
        return said.text


def respond(user: User, arguments: Mapping[str, Any] | str, domain: Domain, acts: Callable[[str], str]) -> ToolResult:
    """The result of a call of `respond`: the user's reply as JSON text, or the agent's mistake.

    `acts` does what the text asks the task's user to do, whoever finds the words for them, and gives how that went.
    """
    try:
        text = said_in(arguments)
    except ArgumentError as error:
        return ToolResult(domain.surface.error_content(error.kind, error.message), error.kind)
    said = with_outcome(user.hear(text), acts(text))
    told = getattr(user, "told", None)
    if told is not None:
        told(said)
    return ToolResult(reply_content(said))


def acting(task: Task, calls: Sequence[tuple[ToolCall, ToolResult]], domain: Domain, backend: Backend) -> Callable[[str], str]:
    """What the task's user does when told something after these calls."""

    def acts(text: str) -> str:
        return "" if task.user is None or not task.user.deeds else act(task.user, [*heard_in(calls), text], domain, backend)

    return acts
