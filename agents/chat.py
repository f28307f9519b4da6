"""A chat model behind an OpenAI-compatible endpoint, as an agent: native and parallel tool calls, retries, budgets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from agents.agent import Maker, Opening, OutOfBudget, Turn, finish_call, reply_of
from synthtools.task import Task
from synthtools.tool import ToolCall

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

PROMPT = """You do a person's request by calling tools.
Look things up instead of guessing, change nothing that was not asked for, and keep to the rules below even when asked to break them.
When all is done, call `finish` once: with the answer if something was asked, with outcome "impossible" if the tools do not allow it, \
with outcome "not_allowed" if a rule forbids it, and then with what it is about."""


CONNECT = 10.0
"""Seconds in which an endpoint must take a connection."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What makes a chat agent act as it does; all of it is the agent's identity."""

    model: str
    prompt: str = PROMPT
    """The system message; today's date and the policies follow it."""
    temperature: float | None = None
    """None: the endpoint's default, here and below."""
    top_p: float | None = None
    max_tokens: int | None = None
    """Of one completion."""
    parallel: bool = True
    """Whether one turn may hold several calls."""

    @property
    def identity(self) -> str:
        """The model's name and a digest of everything."""
        text = orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)
        return f"{self.model}:{hashlib.blake2b(text, digest_size=6).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model answers, and how patiently it is asked."""

    url: str = ""
    """Base URL; empty: what the `openai` package takes from the environment."""
    key: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; a key is never stored."""
    seconds: float = 120.0
    """Time-out of one request; a connection must stand within `CONNECT` of them."""
    retries: int = 5
    """More attempts after time-outs, lost connections, rate limits and server errors, with growing pauses."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one agent in one process may spend; None: no bound."""

    tokens: int | None = None
    """Of prompts and completions together."""
    money: float | None = None
    """In the currency of the prices."""
    prompt_price: float = 0.0
    """Per million tokens."""
    completion_price: float = 0.0
    """Per million tokens."""


@dataclass(slots=True)
class ChatAgent:
    """Any model that speaks the chat-completions protocol."""

    sampling: Sampling
    endpoint: Endpoint = Endpoint()
    budget: Budget = Budget()
    spent_tokens: int = 0
    spent_money: float = 0.0
    _client: OpenAI | None = None
    _messages: list[dict[str, Any]] = field(default_factory=list)
    _tools: list[dict[str, Any]] = field(default_factory=list)
    _pending: list[str] = field(default_factory=list)
    """Ids of the last turn's calls, whose results are due."""
    _talks: bool = False
    """There is a user, so text alone is `respond` and does not end the episode."""
    _asked: bool = False
    """The last turn was such text, and the reply is due."""

    @property
    def name(self) -> str:
        """The model."""
        return self.sampling.model

    @property
    def identity(self) -> str:
        """Model, prompt and sampling."""
        return self.sampling.identity

    def begin(self, opening: Opening) -> None:
        """Start a new conversation."""
        self._messages = [
            {"role": "system", "content": f"{self.sampling.prompt}\n\n{opening.briefing}"},
            {"role": "user", "content": opening.request},
        ]
        self._tools = [dict(tool) for tool in opening.tools]
        self._talks = any(tool["function"]["name"] == "respond" for tool in self._tools)
        self._pending, self._asked = [], False

    def act(self, observations: Sequence[str]) -> Turn:
        """Hand back the results of the last turn and ask for the next; OutOfBudget when nothing may be spent."""
        if self._asked:
            self._messages.append({"role": "user", "content": reply_of(observations[-1])})
        for call, observation in zip(self._pending, observations, strict=False):
            self._messages.append({"role": "tool", "tool_call_id": call, "content": observation})
        completion = self._ask()
        message = completion.choices[0].message
        tokens = 0 if completion.usage is None else completion.usage.completion_tokens
        text = _printable(message.content or "")
        calls = _calls(message)
        self._pending = [call["id"] for call in calls]
        self._messages.append({"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})})
        self._asked = not calls and self._talks
        if not calls:
            said = ToolCall("respond", {"text": text}) if self._talks else finish_call(text)
            return Turn((said,), text, tokens, spoken=True)
        return Turn(tuple(ToolCall(call["function"]["name"], call["function"]["arguments"]) for call in calls), text, tokens)

    def _ask(self) -> ChatCompletion:
        budget, sampling = self.budget, self.sampling
        if (budget.tokens is not None and self.spent_tokens >= budget.tokens) or (budget.money is not None and self.spent_money >= budget.money):
            raise OutOfBudget(f"{self.name} has spent {self.spent_tokens} tokens and {self.spent_money:.2f}")
        asked: dict[str, Any] = {"model": sampling.model, "messages": self._messages, "tools": self._tools}
        chosen = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_completion_tokens": sampling.max_tokens}
        asked |= {name: value for name, value in chosen.items() if value is not None}
        if not sampling.parallel:
            asked["parallel_tool_calls"] = False
        completion = self._complete(asked)
        if not completion.choices:
            raise ValueError(f"{sampling.model} answered without a choice")
        self._count(completion)
        return completion

    def _complete(self, asked: Mapping[str, Any]) -> ChatCompletion:
        """Ask, patiently; ConnectionError where no answer of this model can be had: nobody there, a key refused, no such model."""
        import openai  # an extra

        client = self._connected()
        try:
            completion: ChatCompletion = client.chat.completions.create(**asked)
        except (openai.APIConnectionError, openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ConnectionError(f"{client.base_url} did not answer for {self.name}: {error}") from error
        return completion

    def _count(self, completion: ChatCompletion) -> None:
        usage = completion.usage
        if usage is not None:
            self.spent_tokens += usage.prompt_tokens + usage.completion_tokens
            budget = self.budget
            self.spent_money += (usage.prompt_tokens * budget.prompt_price + usage.completion_tokens * budget.completion_price) / 1e6

    def _connected(self) -> OpenAI:
        if self._client is None:
            from openai import OpenAI, Timeout  # an extra

            endpoint = self.endpoint
            self._client = OpenAI(
                base_url=endpoint.url or None,
                api_key=os.environ.get(endpoint.key) or ("none" if endpoint.url else None),
                timeout=Timeout(endpoint.seconds, connect=min(endpoint.seconds, CONNECT)),
                max_retries=endpoint.retries,
            )
        return self._client


def chat(sampling: Sampling, endpoint: Endpoint, budget: Budget) -> Maker:
    """How to make this chat agent, in any process."""
    return partial(_make_chat, sampling, endpoint, budget)


def _make_chat(sampling: Sampling, endpoint: Endpoint, budget: Budget, tasks: Mapping[str, Task]) -> ChatAgent:
    return ChatAgent(sampling, endpoint, budget)


def _calls(message: ChatCompletionMessage) -> list[dict[str, Any]]:
    calls = []
    for number, call in enumerate(message.tool_calls or ()):
        if call.type == "function":
            name, arguments = call.function.name, call.function.arguments
        else:
            name, arguments = call.custom.name, call.custom.input
        function = {"name": _printable(name), "arguments": _printable(arguments or "")}
        calls.append({"id": call.id or f"call{number:05d}", "type": "function", "function": function})
    return calls


def _printable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
