"""Episodes over streamable HTTP, which has no sessions any more: every episode has an endpoint of its own, and its harness another.

    http://127.0.0.1:8000/mcp                     the harness's: begin_episode, call, end_episode
    http://127.0.0.1:8000/episodes/TOKEN/mcp      one agent's: the tools of its task, and the prompt `task`

`begin_episode` gives the URL of an episode. Any client that takes a URL is an agent there, at once with native tools, though no request depends
on another; with that URL it cannot begin anew, end, or see a reward. `end_episode` says what an episode came to. A harness that would rather
keep one connection makes its agent's calls with `call`, by token. Whoever reaches `/mcp` can begin episodes, so where agents are not to be
trusted a key guards it, sent as `Authorization: Bearer KEY`.

Answers are all that a client is sent, so there is no stream to listen to, and a GET is answered with 405, as MCP has it for such servers.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Any

import anyio.to_thread
import mcp.types as types
import orjson
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from envs.adapters.episodes import Episode, Episodes, NoEpisode, Seat
from envs.adapters.mcp import agent_server, make, result_of
from synthtools.pack import versions

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine reaches; there, requests that name another host are refused, which keeps web pages out."""


class BeginEpisode(BaseModel):
    """Begin an episode. Its `url` is an MCP endpoint with the tools of its task alone, for an agent; its token is for `call` and `end_episode`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str | None = Field(None, description="A task's id; else the seed draws one.")
    seed: int | None = Field(None, ge=0, lt=2**63, description="Of everything that is drawn; else the next of the server's own.")


class Call(BaseModel):
    """Make one call of an episode's agent; the result is what the agent is told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    episode: str = Field(description="Its token.")
    name: str = Field(description="A tool of the episode's.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="The tool's arguments.")


class EndEpisode(BaseModel):
    """End an episode and say what it came to; one that was not over is given up, and its reward is null."""

    model_config = ConfigDict(extra="forbid", strict=True)

    episode: str = Field(description="Its token.")


_REQUESTS: dict[str, type[BaseModel]] = {"begin_episode": BeginEpisode, "call": Call, "end_episode": EndEpisode}


def harness_server(episodes: Episodes) -> Server[Any]:
    """The server whose tools begin, call and end episodes."""
    tools = [_tool(name, request) for name, request in _REQUESTS.items()]

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name not in _REQUESTS:
            return _mistake(f"There is no tool {params.name!r}; there are {', '.join(_REQUESTS)}.")
        try:
            return await _answer(episodes, _REQUESTS[params.name].model_validate(params.arguments or {}), context)
        except ValidationError as error:
            first = error.errors()[0]
            return _mistake(f"{'.'.join(map(str, first['loc'])) or 'arguments'}: {first['msg']}.")
        except NoEpisode as error:
            return _mistake(str(error))

    return Server(
        "synthtools-harness",
        version=versions()["synthtools"],
        instructions="begin_episode gives an episode its own endpoint, for an agent; end_episode says what it came to.",
        get_tool_input_schema=lambda _: None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def http_app(episodes: Episodes, *, host: str = "127.0.0.1", key: str | None = None) -> Starlette:
    """Both endpoints, as a web application. `host`: where it will be served, for the check of names."""
    harness = _manager(harness_server(episodes), host)
    guarded = StreamableHTTPASGIApp(harness) if key is None else Guarded(StreamableHTTPASGIApp(harness), key)
    return agents_app(episodes.find, (_route("/mcp", guarded), harness), host)


def agents_app(find: Callable[[str], Seat], harness: tuple[Route, StreamableHTTPSessionManager] | None = None, host: str = "127.0.0.1") -> Starlette:
    """An endpoint for the agent of every episode that is found by its token, and a harness's beside them if there is one."""
    agents = _manager(agent_server(lambda context: find(_token(context))), host)

    @asynccontextmanager
    async def live(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for manager in (agents, *([harness[1]] if harness else [])):
                await stack.enter_async_context(manager.run())
            yield

    routes = [_route(episode_path("{token}"), StreamableHTTPASGIApp(agents)), *([harness[0]] if harness else [])]
    return Starlette(routes=routes, lifespan=live, exception_handlers={405: _no_stream})


def episode_path(token: str) -> str:
    """Where the endpoint of an episode's agent is."""
    return f"/episodes/{token}/mcp"


class Guarded:
    """An application that answers only whoever has the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._header = app, f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse."""
        given = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(given, self._header):
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"error": "this endpoint wants its key: Authorization: Bearer KEY"}, 401)(scope, receive, send)


async def _answer(episodes: Episodes, request: BaseModel, context: Any) -> types.CallToolResult:
    match request:
        case BeginEpisode():
            return _plain(_begun(await anyio.to_thread.run_sync(episodes.begin, request.task, request.seed), context))
        case Call():
            return result_of(await make(episodes.find(request.episode), request.name, request.arguments))
        case EndEpisode():
            return _plain(asdict(await anyio.to_thread.run_sync(episodes.end, request.episode)))
    raise TypeError(type(request))


def _begun(episode: Episode, context: Any) -> dict[str, Any]:
    """What a harness is told of an episode that it began."""
    path = episode_path(episode.token)
    url = str(context.request.base_url).rstrip("/") + path if context.request is not None else path
    task = episode.env.task
    return {
        "episode": episode.token,
        "url": url,
        "task": task.id,
        "domain": task.domain,
        "opening": episode.opening,
        "tools": list(episode.tools),
    }


def _tool(name: str, request: type[BaseModel]) -> types.Tool:
    return types.Tool(name=name, description=(request.__doc__ or "").strip(), input_schema=request.model_json_schema())


def _plain(data: dict[str, Any]) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=orjson.dumps(data).decode())], structured_content=data)


def _mistake(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)


def _token(context: Any) -> str:
    if context.request is None:
        raise MCPError(types.INVALID_REQUEST, "An episode's server is found by its URL.")
    return str(context.request.path_params["token"])


def _route(path: str, endpoint: ASGIApp) -> Route:
    """For requests by POST alone: the SDK would hold a GET open, on which nothing ever comes."""
    return Route(path, endpoint, methods=["POST"])


async def _no_stream(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "MCP is spoken here by POST alone; there is no stream to listen to"}, 405, {"Allow": "POST"})


def _manager(server: Server[Any], host: str) -> StreamableHTTPSessionManager:
    names = [f"{f'[{name}]' if ':' in name else name}:*" for name in LOCAL] if host in LOCAL else []
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=bool(names), allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]
    )
    return StreamableHTTPSessionManager(server, json_response=True, stateless=True, security_settings=security)
