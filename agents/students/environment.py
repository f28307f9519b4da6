"""Environments for TRL: a class for each set of tools, with a method for each tool, over the environments of `envs`."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, Union

from agents.lesson import name_of
from envs.env import MAX_STEPS, ToolEnv
from envs.speech import said
from envs.worlds import Worlds
from synthtools.backends import BackendName
from synthtools.task import Task
from synthtools.tool import FAULTS, ToolCall

Tool = Mapping[str, Any]
RewardName = Literal["success", "shaped"]
TAKEN = ("reset", "get_reward")
"""What TRL calls on environments; no tool can be called so."""
_CALL = "<tool_call>"
"""Text that holds this was meant for a call and could not be read."""
_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool, "object": dict, "null": type(None)}


class ToolNameError(ValueError):
    """A tool that cannot be a method, because of its name or a parameter's; the message is one line for people."""


class Pool:
    """Tasks to be played, and environments to play them in: as many as are in use at once, however many sets of tools there are."""

    def __init__(
        self, worlds: Worlds, tasks: Sequence[Task], *, reward: RewardName = "success", max_steps: int = MAX_STEPS, backend: BackendName | None = None
    ) -> None:
        self.worlds, self.reward, self.max_steps, self.backend = worlds, reward, max_steps, backend
        self.made = 0
        """Environments made so far."""
        self.settled: list[Tally] = []
        """Of the episodes that were rewarded; whoever reads them clears them."""
        self._tasks = {task.id: task for task in tasks}
        self._idle: list[ToolEnv] = []

    def task(self, name: str) -> Task:
        """The task of this id. Raises ValueError where there is none."""
        if name not in self._tasks:
            raise ValueError(f"there is no task {name!r} to be played here")
        return self._tasks[name]

    def take(self) -> ToolEnv:
        """An environment that nobody uses."""
        if self._idle:
            return self._idle.pop()
        self.made += 1
        return ToolEnv(self.worlds, reward=self.reward, max_steps=self.max_steps, backend=self.backend)

    def give(self, env: ToolEnv) -> None:
        """Hand an environment back."""
        self._idle.append(env)

    def close(self) -> None:
        """Let go of the idle environments' worlds."""
        while self._idle:
            self._idle.pop().close()


@dataclass(slots=True)
class Tally:
    """What happened in one episode."""

    calls: int = 0
    errors: int = 0
    """Calls that came to an error which is no fault of the service."""
    finished: bool = False
    """Whether the agent ended it, by `finish`."""
    seconds: float = 0.0
    """Spent here and in the world: resetting, calling, judging."""


class Stage:
    """One place in a batch of rollouts: the episode that is played there now."""

    def __init__(self, pool: Pool) -> None:
        self.tally = Tally()
        self._pool = pool
        self._env: ToolEnv | None = None
        self._earned = 0.0
        self._reward: float | None = None
        """Of the episode that is over and settled."""
        self._fault: Exception | None = None
        self._done = ""
        """What calls after the end are told."""

    def begin(self, task: str) -> None:
        """Start a task's episode."""
        begun = perf_counter()
        self._env = self._env or self._pool.take()
        self._env.reset(options={"task": self._pool.task(task)})
        self._done = self._env.domain.surface.error_content("episode_done", "The episode is over.")
        self.tally, self._earned, self._reward, self._fault = Tally(), 0.0, None, None
        self.tally.seconds += perf_counter() - begun

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Make a call, and give what the agent is told. An agent's mistake is told; what is our fault is raised, now and when settling."""
        if self._env is None:
            return self._done
        begun = perf_counter()
        try:
            observation, gained, _, _, info = self._env.step(ToolCall(name, dict(arguments)))
        except Exception as fault:
            self._fault = fault
            raise
        self._earned += gained
        if info.get("error") != "episode_done":
            self.tally.calls += 1
            self.tally.errors += "error" in info and info["error"] not in FAULTS
        self.tally.seconds += perf_counter() - begun
        return observation

    def say(self, text: str) -> None:
        """Text without a call: said to the user where there is one, and elsewhere the end, as `finish` with that answer is."""
        if self._env is not None:
            talks = self._env.task.user is not None
            call = said(text, talks)
            self.call(call.name, dict(call.arguments) if isinstance(call.arguments, Mapping) else {})

    def settle(self) -> float:
        """The episode's reward, which no later call changes; its environment goes back to the pool.

        An episode that nobody ended is a failure.
        """
        if self._fault is not None:
            raise self._fault
        if self._reward is None:
            if self._env is None:
                raise ValueError("no episode was begun, so there is nothing to reward")
            self._reward = self._settled(self._env)
            self._pool.settled.append(self.tally)
            self._pool.give(self._env)
            self._env = None
        return self._reward

    def _settled(self, env: ToolEnv) -> float:
        self.tally.finished = env.terminated
        return self._earned + env.truncate()


def make_environment(name: str, tools: Sequence[Tool], pool: Pool, *, rewards: bool = True) -> type:
    """A class whose instances TRL takes for environments: `environment_factory={name: class}`, and a `task` column that names tasks.

    Its methods are the tools and nothing else, as TRL offers every public function of a class. With `rewards` it also has TRL's `get_reward`,
    which never sees text: an episode that is not ended by a call is a failure then. `executed` sees it. Raises ToolNameError.
    """
    members: dict[str, Any] = {name_of(tool): _method(tool) for tool in tools}
    if rewards:
        members["get_reward"] = _get_reward
    return type(name, (), {"__doc__": f"The tools of {name}.", "__init__": _init(pool), "reset": _reset, **members})


def executed(completions: Sequence[Sequence[Mapping[str, Any]]], environments: Sequence[Any], **rest: object) -> list[float]:
    """TRL's reward function: what the calls came to; a last turn of text alone stands for `finish` with that answer.

    Where there is a user it is said to them, and the episode, which TRL goes no further with, is not ended.
    What broke on our side during a rollout is raised here, as TRL tells the model of it and goes on.
    """
    for messages, environment in zip(completions, environments, strict=True):
        last = messages[-1]
        if last["role"] == "assistant" and not last.get("tool_calls") and _CALL not in last["content"]:
            environment._stage.say(str(last["content"]))
    return [environment._stage.settle() for environment in environments]


def _init(pool: Pool) -> Callable[[Any], None]:
    def __init__(self: Any) -> None:
        self._stage = Stage(pool)

    return __init__


def _reset(self: Any, task: str, **row: object) -> None:
    """Start the row's task; the prompt already holds what is asked."""
    self._stage.begin(task)


def _get_reward(self: Any) -> float:
    reward: float = self._stage.settle()
    return reward


def _method(tool: Tool) -> Callable[..., str]:
    """A function with the signature and docstring that say as much of the schema as they can."""
    name = name_of(tool)
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in TAKEN:
        raise ToolNameError(f"tool {name}: TRL cannot offer a tool of this name, which is no method's or is taken ({', '.join(TAKEN)})")

    def call(self: Any, /, **arguments: Any) -> str:
        observation: str = self._stage.call(name, arguments)
        return observation

    fields = _fields(tool)
    hints = {field: hint(schema) for field, schema in fields.items()}
    call.__name__ = call.__qualname__ = name
    call.__doc__ = docstring(tool)
    call.__annotations__ = {**hints, "return": str}
    setattr(call, "__signature__", _signature(name, hints, tool["function"]["parameters"].get("required", ())))  # noqa: B010  mypy knows no such name
    return call


def _fields(tool: Tool) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = tool["function"]["parameters"].get("properties", {})
    return fields


def _signature(name: str, hints: Mapping[str, Any], required: Sequence[str]) -> inspect.Signature:
    for field in hints:
        if not field.isidentifier() or keyword.iskeyword(field) or field == "self":
            raise ToolNameError(f"tool {name}: TRL cannot offer a parameter that is called {field}, which is no name in Python")
    fields = [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field in required else None,
            annotation=annotation,
        )
        for field, annotation in hints.items()
    ]
    return inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY), *fields], return_annotation=str)


def docstring(tool: Tool) -> str:
    """A Google docstring: the description, and a line for each parameter, which TRL insists on."""
    function = tool["function"]
    lines = [f"    {field}: {_line(schema.get('description') or field.replace('_', ' '))}" for field, schema in _fields(tool).items()]
    return "\n".join([_line(function["description"]), *(["", "Args:", *lines] if lines else [])])


def _line(text: str) -> str:
    return " ".join(text.split())


def hint(schema: Mapping[str, Any]) -> Any:
    """The type that says most of a schema: of objects only that they are, of bounds and formats nothing."""
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "const" in schema:
        return Literal[schema["const"]]
    if "anyOf" in schema or "oneOf" in schema:
        return Union[tuple(hint(one) for one in schema.get("anyOf") or schema["oneOf"])]  # noqa: UP007  as many as there are
    kind = schema.get("type", "")
    if not isinstance(kind, str):
        return Union[tuple(hint({**schema, "type": one}) for one in kind)]  # noqa: UP007
    if kind == "array":
        return list[hint(schema["items"])] if "items" in schema else list  # type: ignore[misc]  # a type made while running
    return _TYPES.get(kind, Any)
