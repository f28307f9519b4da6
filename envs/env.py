"""A goal in a world, as a Gymnasium environment: one step is one tool call."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded

from envs.action import Action, as_call
from envs.offer import Offer, opening_words
from envs.reward import Reward, Shaping
from envs.spaces import CallSpace, Schemas, UnicodeSpace
from envs.transcript import write_transcript
from envs.users import RESPOND, ScriptedUser, User, acting, respond
from envs.worlds import Worlds, as_worlds
from synthtools.backend import Backend, Snapshot
from synthtools.backends import BACKENDS, BackendName, open_backend
from synthtools.domain import Domain
from synthtools.faulty import faulty
from synthtools.finish import finish_content, parse_finish
from synthtools.goal import Changes, Ending, Judgement
from synthtools.judge import judge_task, potential
from synthtools.pack import Pack
from synthtools.task import Task
from synthtools.tool import ToolCall, ToolResult

MAX_STEPS = 30
_UNFINISHED = Judgement(False, "no_ending")


@dataclass(frozen=True, slots=True)
class Moment:
    """All that an episode is, besides the environment's settings."""

    task: Task
    snapshot: Snapshot
    calls: tuple[tuple[ToolCall, ToolResult], ...]
    ending: Ending | None
    judgement: Judgement
    terminated: bool
    truncated: bool
    shaping: Shaping


def _first_tools(worlds: Worlds) -> Schemas:
    """What calls are drawn from until an episode brings its own tools."""
    return worlds.offers(worlds.names[0]).without(()).tools


class ToolEnv(gymnasium.Env[str, Action]):
    """An agent works in a world of tools until it calls `finish` or runs out of steps.

    Observations are text: the day, the policies and the request at first, then the JSON result of each call. `reset`'s info holds
    `task_id`, `domain` and `tools` (JSON text of the schemas that `tools` lists); a step's holds `error` and `reason` of a call that
    came to an error, and at the end `success` and `judgement` (what is nearest at fault, or empty).
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}

    action_space: CallSpace
    task: Task
    """The episode's task; agents are not shown it."""
    domain: Domain
    backend: Backend
    ending: Ending | None
    """What the agent finished with; None until it does."""
    judgement: Judgement

    def __init__(  # noqa: PLR0913 - every setting of an episode has its name here
        self,
        worlds: Worlds | Pack,
        *,
        reward: Reward = "success",
        max_steps: int = MAX_STEPS,
        render_mode: str | None = None,
        user: User | None = None,
        backend: BackendName | None = None,
    ) -> None:
        """`user` answers instead of the scripts of users. ValueError: unknown reward, render mode or backend, fewer than two steps."""
        if max_steps < 2:
            raise ValueError(f"max_steps is {max_steps}: an episode needs at least 2 steps")
        if not callable(reward) and reward not in ("success", "shaped"):
            raise ValueError(f"reward is {reward!r}: it can be 'success', 'shaped' or a function")
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode is {render_mode!r}: it can be 'ansi' or None")
        if backend is not None and backend not in BACKENDS:
            raise ValueError(f"backend is {backend!r}: it can be {', '.join(map(repr, BACKENDS))} or None")
        self.worlds = as_worlds(worlds)
        self.reward, self.max_steps, self.render_mode = reward, max_steps, render_mode
        self.user = user
        self._talker: User | None = None
        self.backend_name = backend
        self.observation_space = UnicodeSpace()
        self.calls: list[tuple[ToolCall, ToolResult]] = []
        """The episode's calls and their results so far."""
        self.terminated = self.truncated = False
        self._backends: dict[str, Backend] = {}
        self._begun = False
        self._over = True
        self._changes: Changes | None = None
        """The net change; None: not known since the last call that may have changed it."""
        self._shaping = Shaping(0.0)
        self.action_space = CallSpace(partial(_first_tools, self.worlds))

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """Schemas of the tools that the agent has, in the form that chat models take. Shared between episodes: read only."""
        return self._offer.tools

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode. Options: `task` (a Task or its id; else one is drawn) or `difficulty` (for this draw alone)."""
        super().reset(seed=seed)
        self._begun, self._over = False, True
        task = self._choose(options) if options else self.worlds.draw(self.np_random)
        self._enter(task)
        if self._talker is not None:
            self._talker.begin(task)
        self.backend.reset(task.start)
        self.calls = []
        self.ending, self.judgement = None, _UNFINISHED
        self.terminated = self.truncated = self._over = False
        self._begun = True
        self._changes = ()
        if self.reward == "shaped":
            self._shaping = Shaping(potential(task.goal, (), self.domain))
        plain = not (task.start.now or task.rules or task.faults)
        opening = self._offers.briefing if plain else opening_words(self.domain, task)
        return f"{opening}\n{task.request}", {"task_id": task.id, "domain": task.domain, "tools": self._offer.text}

    def step(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Make one call. Whatever the agent passes is answered, and never raises; ResetNeeded before the first reset."""
        if self._over:
            return self._after_the_end()
        call = as_call(action)
        result = self._special(call) if call.name in self._offer.special else self.backend.call(call)
        self.calls.append((call, result))
        if not self.terminated and len(self.calls) >= self.max_steps:
            self.truncated = self._over = True
        reward = (1.0 if self.judgement.success else 0.0) if self.reward == "success" else self._score(call, result)
        info: dict[str, Any] = {} if result.error is None else {"error": result.error, "reason": result.reason}
        if self._over:
            info["success"], info["judgement"] = self.judgement.success, self.judgement.reason
        return result.content, reward, self.terminated, self.truncated, info

    def truncate(self) -> float:
        """End the episode, as a limit of its own does, where one from outside has come first; the reward that is still due."""
        if self._over:
            return 0.0
        self.truncated = self._over = True
        return self._shaping.advance(0.0, failed=False) if self.reward == "shaped" else 0.0

    def announce(self, action: Action) -> None:
        """Send the call of the next `step` ahead, where the backend can have many in flight; elsewhere nothing."""
        announce = getattr(self.backend, "announce", None) if self._begun and not self._over else None
        if announce is not None and (call := as_call(action)).name not in self._offer.special:
            announce(call)

    def render(self) -> str | None:
        """The episode so far as a person reads it, where the render mode is `ansi`."""
        if self.render_mode != "ansi":
            return None
        if not self._begun:
            raise ResetNeeded("render before reset")
        return write_transcript(self.task, self.calls, self.judgement if self._over else None)

    def close(self) -> None:
        """Let go of the worlds."""
        for backend in self._backends.values():
            backend.close()
        self._backends = {}
        self._begun, self._over = False, True

    def fork(self) -> ToolEnv:
        """An independent environment at the same moment: what happens in one is not seen in the other."""
        other = ToolEnv(
            self.worlds,
            reward=self.reward,
            max_steps=self.max_steps,
            render_mode=self.render_mode,
            user=deepcopy(self.user),
            backend=self.backend_name,
        )
        other.spec = self.spec
        other.action_space = deepcopy(self.action_space)
        other.observation_space = deepcopy(self.observation_space)
        other._np_random, other._np_random_seed = deepcopy(self._np_random), self._np_random_seed
        if self._begun:
            other._resume(self._moment())
        return other

    def sibling(self) -> ToolEnv:
        """A fork with chance of its own, which follows from this one's seed: of their next episodes neither is like the other."""
        other = self.fork()
        other.np_random = self.np_random.spawn(1)[0]
        other.action_space = self.action_space.sibling()
        return other

    def __getstate__(self) -> dict[str, Any]:
        kept = ("worlds", "reward", "max_steps", "render_mode", "user", "spec")
        state = {name: getattr(self, name) for name in (*kept, "action_space", "observation_space", "_np_random", "_np_random_seed")}
        return {**state, "backend": self.backend_name, "moment": self._moment() if self._begun else None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        moment, spec = state.pop("moment"), state.pop("spec")
        spaces_and_chance = {name: state.pop(name) for name in ("action_space", "observation_space", "_np_random", "_np_random_seed")}
        ToolEnv.__init__(self, state.pop("worlds"), **state)
        self.__dict__.update(spaces_and_chance, spec=spec)
        if moment is not None:
            self._resume(moment)

    def _choose(self, options: Mapping[str, Any]) -> Task:
        strangers = sorted(set(options) - {"task", "difficulty"})
        if strangers:
            raise ValueError(f"unknown option {strangers[0]!r}: an episode takes `task` or `difficulty`")
        task = options.get("task")
        if task is None:
            return self.worlds.draw(self.np_random, options.get("difficulty"))
        return task if isinstance(task, Task) else self.worlds.find(task)

    def _enter(self, task: Task) -> None:
        """Turn to the task's domain, with the tools of its agent and a backend to reset."""
        self.task = task
        self._offers = self.worlds.offers(task.domain)
        self._offer: Offer = self._offers.of(task)
        self._talker = None if task.user is None else ScriptedUser() if self.user is None else self.user
        self.domain = self._offers.domain
        self.action_space.tools = self._offer.tools
        backend = self._backends.get(task.domain)
        if backend is None:
            backend = self._backends[task.domain] = open_backend(self.domain, self.backend_name)
        self.backend = faulty(backend, self.domain, task)

    def _special(self, call: ToolCall) -> ToolResult:
        """The result of a call that does not reach the backend: a tool withheld, `respond` or `finish`."""
        if call.name in self._offer.withheld:
            return ToolResult(self.domain.surface.error_content("unknown_tool", f"There is no tool {call.name!r}."), "unknown_tool")
        if call.name == RESPOND.name and self._talker is not None:
            self.truncated = self._over = self._talker.gone
            self._changes = None
            return respond(self._talker, call.arguments, self.domain, acting(self.task, self.calls, self.domain, self.backend))
        ending = parse_finish(call.arguments, self.domain)
        if isinstance(ending, ToolResult):
            return ending
        self.ending, self._changes = ending, self.backend.changes()
        self.judgement = judge_task(self.task, self.calls, self._changes, ending, self.domain)
        self.terminated = self._over = True
        return ToolResult(finish_content(ending))

    def _after_the_end(self) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if not self._begun:
            raise ResetNeeded("step before reset")
        content = self.domain.surface.error_content("episode_done", "The episode is over.")
        return content, 0.0, self.terminated, self.truncated, {"error": "episode_done", "reason": ""}

    def _net(self) -> Changes:
        if self._changes is None:
            self._changes = self.backend.changes()
        return self._changes

    def _score(self, call: ToolCall, result: ToolResult) -> float:
        """The reward of a step, where it is not success alone."""
        tool = self.domain.tools.get(call.name)
        if call.name not in self._offer.special and (tool is None or not tool.read_only):
            self._changes = None
        if callable(self.reward):
            return float(self.reward(self.task, self._net(), self.ending, result))
        if self._over:
            return self._shaping.advance(float(self.judgement.success), result.mistaken)
        level = potential(self.task.goal, self._net(), self.domain) - self._shaping.start
        return self._shaping.advance(level, result.mistaken)

    def _moment(self) -> Moment:
        return Moment(
            task=self.task,
            snapshot=self.backend.snapshot(),
            calls=tuple(self.calls),
            ending=self.ending,
            judgement=self.judgement,
            terminated=self.terminated,
            truncated=self.truncated,
            shaping=replace(self._shaping),
        )

    def _resume(self, moment: Moment) -> None:
        self._enter(moment.task)
        self.backend.reset(moment.snapshot)
        self.calls = list(moment.calls)
        if isinstance(self._talker, ScriptedUser):
            self._talker.recall(moment.task, self.calls)
        self.ending, self.judgement = moment.ending, moment.judgement
        self.terminated, self.truncated = moment.terminated, moment.truncated
        self._begun, self._over = True, moment.terminated or moment.truncated
        self._changes = None
        self._shaping = replace(moment.shaping)
