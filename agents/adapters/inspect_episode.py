"""An episode that Inspect's agents play: its tools as Inspect has them, and its calls, kept where a log can hold them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from inspect_ai.model import ChatMessageAssistant, ChatMessageTool
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolCallError, ToolDef, ToolError, ToolParams
from inspect_ai.util import StoreModel
from jsonschema import Draft7Validator
from pydantic import Field, PrivateAttr, model_serializer

from agents.agent import Agent, Opening
from envs import ToolEnv
from envs.action import printable
from envs.speech import reply_of, said, talks
from synthtools.task import Task
from synthtools.tool import ToolCall

PLAYING: Final[dict[str, Played]] = {}
"""The samples that are at work in this process, by their own id; Inspect's store holds only what a log can hold."""
_RAW_BEGINS, _RAW_ENDS = "arguments:\n\n", "\n\nError details:"
"""Between these Inspect quotes arguments that it could not parse."""


class Episode(StoreModel):
    """What the log keeps of an episode: enough to make it again."""

    task: str = ""
    calls: list[tuple[str, Any]] = Field(default_factory=list)
    """Names, and arguments as an object, or as the text that was none."""


class Parameters(ToolParams):
    """Parameters whose schema reaches models as it is; Inspect's own class drops the keywords that it does not know."""

    _exact: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Parameters:
        """These parameters. Inspect wants a description of each, which models are not shown where there is none."""
        fields = {name: {"description": name, **field} for name, field in schema.get("properties", {}).items()}
        made: Parameters = cls.model_validate({**schema, "properties": fields})
        made._exact = deepcopy(dict(schema))
        return made

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Parameters:
        """Itself, as nobody changes it: Inspect copies every tool several times a turn."""
        return self

    @model_serializer(mode="plain")
    def _as_it_is(self) -> dict[str, Any]:
        return deepcopy(self._exact)


class Played:
    """An episode that Inspect's agents play."""

    def __init__(self, env: ToolEnv, observation: str, opening: Opening) -> None:
        self.first, self.opening = observation, opening
        self.message: str | None = None
        """The id of the first message, by which a model's input shows which sample it is of."""
        self.calls: list[tuple[str, Any]] = []
        """As `Episode` keeps them."""
        self.agent: Agent | None = None
        """Of ours, where one plays. Inspect keeps tools and so this object for good, but not what `close` lets go of."""
        self._env = env
        self._talks = talks(env.tools)
        self._valid = {tool["function"]["name"]: Draft7Validator(tool["function"]["parameters"]) for tool in env.tools}
        self._due: list[InspectCall] = []
        """Calls of the turn that were not yet made, where it is known what they are."""
        self._refused: dict[str, str] = {}
        """Id of a call that Inspect did not hand on → what it comes to here."""

    @property
    def task(self) -> Task:
        """Which no model is shown, except one that replays its solution."""
        return self._env.task

    @property
    def over(self) -> bool:
        """Whether the world takes no more calls."""
        return self._env.terminated or self._env.truncated

    def tools(self) -> list[ToolDef]:
        """The episode's tools, with their schemas exactly."""
        functions = [tool["function"] for tool in self._env.tools]
        return [
            ToolDef(self._execute(one["name"]), one["name"], one["description"], Parameters.of(one["parameters"]), parallel=False, max_output=0)
            for one in functions
        ]

    def turn(self, calls: Sequence[InspectCall]) -> None:
        """What the model calls next."""
        self._due, self._refused = list(calls), {}

    def settle(self, messages: Sequence[Any]) -> None:
        """Make what is left of a turn's calls that Inspect turns away, and let the model read what they come to, as everywhere else."""
        self._make_refused()
        for message in reversed(messages):
            if isinstance(message, ChatMessageAssistant):
                return
            if isinstance(message, ChatMessageTool) and message.tool_call_id in self._refused:
                message.error = ToolCallError("parsing", self._refused[message.tool_call_id])

    def say(self, text: str) -> bool | str:
        """Text without a call: the user's reply to it, or False where it ends the episode."""
        observation, _ = self._step(said(printable(text), self._talks))
        return False if self.over else reply_of(observation)

    def close(self) -> None:
        """Let go of the world, and of who played in it."""
        self._env.close()
        self.agent = None

    def _execute(self, name: str) -> Callable[..., Awaitable[str]]:
        async def execute(**kwargs: Any) -> str:
            self._make_refused()
            self._due = self._due[1:]
            observation, failed = self._step(ToolCall(name, kwargs))
            if failed:
                raise ToolError(observation)
            return observation

        return execute

    def _make_refused(self) -> None:
        """Make the next calls that Inspect will not hand on: of no tool, or with arguments that it refuses."""
        while self._due and self._is_refused(self._due[0]):
            call = self._due.pop(0)
            self._refused[call.id], _ = self._step(ToolCall(printable(call.function), _raw(call)))

    def _is_refused(self, call: InspectCall) -> bool:
        return call.parse_error is not None or call.function not in self._valid or not self._valid[call.function].is_valid(call.arguments)

    def _step(self, call: ToolCall) -> tuple[str, bool]:
        over = self.over
        observation, *_, info = self._env.step(call)
        if not over:
            made, _ = self._env.calls[-1]
            self.calls.append((made.name, made.arguments))
        return observation, "error" in info


def _raw(call: InspectCall) -> Any:
    """The arguments, or the text that could not be parsed, which only the complaint about it holds."""
    if call.parse_error is None:
        return dict(call.arguments)
    text = call.parse_error.partition(_RAW_BEGINS)[2].rpartition(_RAW_ENDS)[0]
    return printable(text or call.parse_error)
