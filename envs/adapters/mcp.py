"""Episodes as MCP servers, with the official SDK: the task's tools natively, and nothing else that a model could call.

MCP says of everything it serves who is meant to use it, and that is how an agent is kept from reset, goal, solution and reward:

- **Tools are the model's**: exactly those of the episode's task, with their schemas, `finish` among them. A call is answered with the text that
  the environment gives, `is_error` where that is an error, and in `_meta` whether the episode is over. Never with a reward.
- **Prompts are the person's or harness's choice**: `task` is the episode's opening (day, policies, request). Over stdio, where one client has
  one connection for everything, `begin` starts the next episode, of the task or seed that it is given, and the tools change (`list_changed`).
- **Resources are the application's to read**: over stdio `synthtools://account` is what the episode came to, once it is over and not before.

Over HTTP (`mcp_http.py`) harness and agent have endpoints of their own, and there the agent's has only its tools and `task`.

A call that was begun is made whole, in a thread that no cancellation stops; one that was cancelled before is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import anyio
import anyio.to_thread
import mcp.types as types
import orjson
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError

from envs.adapters.episodes import Answer, Episodes, NoEpisode, Seat
from synthtools.pack import versions

OVER = "synthtools/over"
"""Key of a result's `_meta`: whether the episode has ended."""
ERROR = "synthtools/error"
"""Key of a result's `_meta`: the code of the agent's mistake, where it made one."""
ACCOUNT = "synthtools://account"
"""The resource that says what an episode came to."""
_TASK = types.Prompt(name="task", description="What is to be done: the day, the policies and the request.")
_BEGIN = types.Prompt(
    name="begin",
    description="Start the next episode, and give up one that is not over; the tools change.",
    arguments=[
        types.PromptArgument(name="task", description="A task's id; else the seed draws one."),
        types.PromptArgument(name="seed", description="A whole number; else the next of the server's own."),
    ],
)
Find = Callable[[Any], Seat]
"""The episode that a request (its context) is about; may raise NoEpisode."""


def agent_server(find: Find, **handlers: Any) -> Server[Any]:  # typed where it is called: the SDK's own handlers, by their names
    """A server of the tools of whichever episode a request is about, and of its opening."""

    async def list_tools(context: Any, _: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool_of(schema) for schema in _found(find, context).tools])

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return result_of(await make(_found(find, context), params.name, params.arguments or {}))

    async def list_prompts(_: Any, __: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_TASK])

    async def get_prompt(context: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name != _TASK.name:
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {params.name!r}; there is `task`.")
        return said(_found(find, context).opening)

    return Server(
        "synthtools",
        version=versions()["synthtools"],
        instructions="The tools of one episode. The prompt `task` says what is to be done; the episode ends with a call of `finish`.",
        get_tool_input_schema=lambda _: None,  # no schema of ours names a header, so they need not be looked through at every call
        **{
            "on_list_tools": list_tools,
            "on_call_tool": call_tool,
            "on_list_prompts": list_prompts,
            "on_get_prompt": get_prompt,
            **handlers,
        },
    )


class Sitting:
    """The episodes of one client, one at a time, for a connection that harness and agent share."""

    def __init__(self, episodes: Episodes, task: str | None = None, seed: int | None = None) -> None:
        """Begins the first. Raises NoEpisode for a task that is not there."""
        self._episodes = episodes
        self._bus = InMemorySubscriptionBus()
        self.current = episodes.begin(task, seed)

    def server(self) -> Server[Any]:
        """An agent's server with the prompt and the resource of its harness."""
        return agent_server(
            lambda _: self.current,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_list_resources=self._list_resources,
            on_read_resource=self._read_resource,
            on_subscriptions_listen=ListenHandler(self._bus),
        )

    async def _list_prompts(self, _: Any, __: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_TASK, _BEGIN])

    async def _get_prompt(self, context: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name == _BEGIN.name:
            await self._begin(context, params.arguments or {})
        elif params.name != _TASK.name:
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {params.name!r}; there are `task` and `begin`.")
        return said(self.current.opening)

    async def _begin(self, context: Any, arguments: Mapping[str, str]) -> None:
        """Start the next episode and tell whoever listens, in the way of either age of the protocol."""
        task, seed = arguments.get("task") or None, arguments.get("seed") or None
        if seed is not None and not (seed.isascii() and seed.isdecimal()):
            raise MCPError(types.INVALID_PARAMS, f"The seed is {seed!r}: it can be a whole number from 0.")
        try:
            begun = await anyio.to_thread.run_sync(self._episodes.begin, task, None if seed is None else int(seed))
        except NoEpisode as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        left, self.current = self.current, begun
        await anyio.to_thread.run_sync(self._episodes.discard, left.token)
        await context.session.send_tool_list_changed()
        await self._bus.publish(ToolsListChanged())

    async def _list_resources(self, _: Any, __: Any) -> types.ListResourcesResult:
        words = "What the episode came to, once it is over: reward, success, and what is nearest at fault."
        return types.ListResourcesResult(resources=[types.Resource(name="account", uri=ACCOUNT, description=words, mime_type="application/json")])

    async def _read_resource(self, _: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        if str(params.uri) != ACCOUNT:
            raise MCPError(types.INVALID_PARAMS, f"There is no resource {str(params.uri)!r}; there is {ACCOUNT}.")
        if not self.current.over:
            raise MCPError(types.INVALID_REQUEST, "The episode is not over; what it came to is told when it has ended.")
        text = orjson.dumps(asdict(await anyio.to_thread.run_sync(self.current.account))).decode()
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=ACCOUNT, mime_type="application/json", text=text)])


async def make(seat: Seat, name: str, arguments: Mapping[str, Any]) -> Answer:
    """Make a call in a thread; once begun it is made whole. Raises MCPError where the episode is gone."""
    try:
        answer: Answer = await anyio.to_thread.run_sync(seat.call, name, arguments)
    except NoEpisode as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from None
    return answer


def tool_of(schema: Mapping[str, Any]) -> types.Tool:
    """A chat model's schema as MCP's."""
    function = schema["function"]
    return types.Tool(name=function["name"], description=function["description"], input_schema=dict(function["parameters"]))


def result_of(answer: Answer) -> types.CallToolResult:
    """An answer as MCP's: the text as it is, and beside it what programs ask for."""
    meta = {OVER: answer.over} if answer.error is None else {OVER: answer.over, ERROR: answer.error}
    return types.CallToolResult(content=[types.TextContent(text=answer.content)], is_error=answer.error is not None, _meta=meta)


def said(text: str) -> types.GetPromptResult:
    """What a person says."""
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=types.TextContent(text=text))])


def _found(find: Find, context: Any) -> Seat:
    try:
        return find(context)
    except NoEpisode as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from None
