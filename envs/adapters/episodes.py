"""Many episodes in one process, each under a token that only its own clients know.

A token is a key and no datum: it is signed with a secret of this process, the one thing here that does not come from a seed, and enters no
record. Because it is signed, an episode that is over can be told from one that never was, though nothing is remembered of it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from envs.env import MAX_STEPS, ToolEnv
from envs.worlds import Worlds, as_worlds
from synthtools.backends import BackendName
from synthtools.pack import Pack
from synthtools.seed import derive
from synthtools.task import Task
from synthtools.tool import ToolCall

MOST = 2048
"""Episodes at once, at most."""


class NoEpisode(LookupError):
    """A token or a task that leads to no episode; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to, as the agent is told."""

    content: str
    """JSON text."""
    error: str | None
    """The code of the agent's mistake."""
    over: bool
    """No further call will do anything."""
    reward: float = 0.0
    """Of this call alone; for the harness, and not to be shown to the agent of an episode that goes on."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an episode has come to; for the harness alone."""

    task: str
    domain: str
    calls: int
    terminated: bool
    truncated: bool
    reward: float | None
    """All of it; None, which is not zero, where the episode was given up before its end."""
    success: bool
    judgement: str
    """What is nearest at fault, or empty."""


class Seat(Protocol):
    """An episode as its agent sees it: no way to begin anew, and nothing that tells the goal."""

    @property
    def opening(self) -> str:
        """The day, the policies and the request."""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """Schemas as chat models take them."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Make one call."""


@dataclass(slots=True)
class Episode:
    """One that was begun; calls of several threads are made one after another."""

    token: str
    env: ToolEnv
    opening: str
    _earned: float = 0.0
    _gone: str = ""
    """Why it is no more."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """Schemas as chat models take them."""
        return self.env.tools

    @property
    def over(self) -> bool:
        """Whether a further call would do nothing."""
        return self.env.terminated or self.env.truncated

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Make one call, whole. NoEpisode where the episode was let go; a fault of ours is raised, and ends the episode unscored."""
        with self._lock:
            self._refuse_gone()
            try:
                content, reward, *_, info = self.env.step(ToolCall(name, dict(arguments)))
            except Exception:
                self._let_go("It was lost to a fault of this server, and is not scored.")
                raise
            self._earned += float(reward)
            return Answer(content, info.get("error"), self.over, float(reward))

    def account(self) -> Account:
        """What it has come to by now. NoEpisode where it was let go."""
        with self._lock:
            return self._account()

    def end(self, why: str) -> Account:
        """Free what it holds, after a call that is being made, and say what it came to. NoEpisode where it was let go."""
        with self._lock:
            account = self._account()
            self._let_go(why)
            return account

    def spare(self, why: str) -> bool:
        """Free what it holds, unless a call is being made."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._let_go(why)
        finally:
            self._lock.release()
        return True

    def _account(self) -> Account:
        self._refuse_gone()
        env, judgement = self.env, self.env.judgement
        reward = self._earned if self.over else None
        return Account(env.task.id, env.task.domain, len(env.calls), env.terminated, env.truncated, reward, judgement.success, judgement.reason)

    def _let_go(self, why: str) -> None:
        if not self._gone:
            self._gone = why
            self.env.close()

    def _refuse_gone(self) -> None:
        if self._gone:
            raise NoEpisode(f"There is no such episode any more. {self._gone}")


class Episodes:
    """Begins episodes and finds them again. Safe in threads; when there are too many, the one unused for longest is let go."""

    def __init__(
        self, worlds: Worlds | Pack, *, most: int = MOST, seed: int = 0, max_steps: int = MAX_STEPS, backend: BackendName | None = None
    ) -> None:
        """`most`: live episodes, of about 0.4 MB each. `seed`: of the episodes that are begun without one of their own."""
        if most < 1:
            raise ValueError(f"most is {most}: at least one episode is needed")
        self.worlds = as_worlds(worlds)
        self.most, self.seed, self.max_steps, self.backend = most, seed, max_steps, backend
        self.begun = 0
        """Episodes so far."""
        self._secret = secrets.token_bytes(32)
        self._live: OrderedDict[str, Episode] = OrderedDict()
        """By token, the last used at the end."""
        self._beginning, self._lock = Lock(), Lock()

    def __len__(self) -> int:
        return len(self._live)

    def begin(self, task: str | None = None, seed: int | None = None) -> Episode:
        """A new episode of this task, or of the one that the seed draws. Raises NoEpisode for a task that is not here."""
        with self._beginning:
            options = None if task is None else {"task": self._task(task)}
            number, self.begun = self.begun, self.begun + 1
            env = ToolEnv(self.worlds, max_steps=self.max_steps, backend=self.backend)
            drawn = derive(self.seed, "episode", number) >> 11 if seed is None else seed
            try:
                opening, _ = env.reset(seed=drawn, options=options)
            except BaseException:
                env.close()
                raise
        episode = Episode(self._sign(number), env, opening)
        with self._lock:
            self._make_room()
            self._live[episode.token] = episode
        return episode

    def find(self, token: str) -> Episode:
        """The episode of this token. Raises NoEpisode."""
        with self._lock:
            episode = self._live.get(token)
            if episode is not None:
                self._live.move_to_end(token)
                return episode
        if self._is_ours(token):
            raise NoEpisode(f"There is no such episode any more: it was ended, or let go as one of more than {self.most} at once. Begin another.")
        raise NoEpisode("There is no such episode: the token is not of this server, or not whole. Begin one, and use the token as it is given.")

    def end(self, token: str) -> Account:
        """End an episode, which is given up if it is not over, and say what it came to. Raises NoEpisode."""
        episode = self.find(token)
        try:
            return episode.end("It was ended.")
        finally:
            with self._lock:
                self._live.pop(token, None)

    def discard(self, token: str) -> None:
        """End an episode that nobody wants an account of, if it is there."""
        with suppress(NoEpisode):
            self.end(token)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            episodes, self._live = list(self._live.values()), OrderedDict()
        for episode in episodes:
            with suppress(NoEpisode):  # one that was lost to a fault holds nothing
                episode.end("The server has ended.")

    def _task(self, task: str) -> Task:
        try:
            return self.worlds.find(task)
        except ValueError as error:
            raise NoEpisode(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None

    def _make_room(self) -> None:
        """Let go of those unused for longest; one in which a call is being made is not unused."""
        for token, episode in list(self._live.items())[: max(0, len(self._live) - self.most + 1)]:
            if episode.spare(f"It was let go, as the one unused for longest of {self.most} at once."):
                del self._live[token]

    def _sign(self, number: int) -> str:
        signature = hmac.digest(self._secret, str(number).encode(), hashlib.sha256)[:16].hex()
        return f"{number}-{signature}"

    def _is_ours(self, token: str) -> bool:
        number = token.partition("-")[0]
        return number.isdecimal() and hmac.compare_digest(self._sign(int(number[:20])).encode(), token.encode("utf-8", "replace"))
