"""The scripted agents as a model of Inspect's, which needs no network and no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.tool import ToolCall as InspectCall

from agents.adapters.inspect_episode import PLAYING, Played
from agents.agent import SCRIPTED, Agent, scripted

_NO_USAGE = ModelUsage()


class ScriptedModel(ModelAPI):
    """`synthtools/NAME`: one of the scripted agents, in the samples of `synthtools/bench`. Raises ValueError for another name."""

    def __init__(self, model_name: str, base_url: str | None = None, api_key: str | None = None, config: GenerateConfig | None = None) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        if model_name not in SCRIPTED:
            raise ValueError(f"no agent called {model_name!r}: the scripted ones are {', '.join(SCRIPTED)}")

    async def generate(self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        """The agent's next turn."""
        played = next((one for one in PLAYING.values() if one.message == input[0].id), None)
        if played is None:
            raise ValueError("no episode begins with these messages: scripted agents play `synthtools/bench` alone")
        last = max((place for place, message in enumerate(input) if isinstance(message, ChatMessageAssistant)), default=None)
        turn = self._agent(played).act([played.first] if last is None else _heard(input[last + 1 :]))
        output = ModelOutput.from_content(self.model_name, turn.text)
        if not turn.spoken:
            output.choices[0].message.tool_calls = [
                InspectCall(id=f"call{len(input)}-{number}", function=call.name, arguments=dict(call.arguments))
                for number, call in enumerate(turn.calls)
                if not isinstance(call.arguments, str)
            ]
        output.usage = _NO_USAGE
        return output

    def _agent(self, played: Played) -> Agent:
        if played.agent is None:
            played.agent = scripted(self.model_name)({played.task.id: played.task})
            played.agent.begin(played.opening)
        return played.agent


def _heard(messages: Sequence[ChatMessage]) -> list[str]:
    """What came of the last turn's calls, or the user's words."""
    return [message.error.message if isinstance(message, ChatMessageTool) and message.error else message.text for message in messages]
