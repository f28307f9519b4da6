"""`synthtools serve`: a pack's episodes for clients of other frameworks, on this machine unless told otherwise."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from agents.cli.output import Backend, BadInput, Json, Seed, Trust, counted, print_json, refuse_without
from agents.cli.rollout import find_pack
from agents.cli.signals import signals

if TYPE_CHECKING:
    from envs.adapters.episodes import Episodes
    from envs.worlds import Worlds

PORT = 8000
Source = Annotated[Path, typer.Argument(metavar="PACK", help="The folder of a pack or run; or a blueprint's file.")]
Mcp = Annotated[Literal["stdio", "http"] | None, typer.Option("--mcp", help="Speak MCP: to one client over stdin and stdout, or to many over HTTP.")]
OpenEnv = Annotated[bool, typer.Option("--openenv", help="Speak OpenEnv: one websocket is one environment.")]
Host = Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0 lets other machines in.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")]
TaskId = Annotated[str | None, typer.Option("--task", help="The first episode's task, over stdio; else the seed draws one.")]
Most = Annotated[int, typer.Option("--episodes", min=1, help="At once, at most; over MCP the one unused for longest makes room.")]
Steps = Annotated[int, typer.Option("--max-steps", min=2, help="Calls until an episode is truncated.")]
Key = Annotated[str | None, typer.Option("--key-variable", help="The environment variable with the key that MCP's harness endpoint wants.")]


def serve(
    pack: Source,
    mcp: Mcp = None,
    openenv: OpenEnv = False,
    host: Host = "127.0.0.1",
    port: Port = PORT,
    task: TaskId = None,
    seed: Seed = 0,
    episodes: Most = 2048,
    max_steps: Steps = 30,
    key_variable: Key = None,
    backend: Backend = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Serve episodes until the client leaves or a signal comes; --json prints one object when it answers, with its `url`."""
    if openenv == (mcp is not None):
        raise BadInput("give one of --mcp stdio, --mcp http and --openenv: it says which clients are served")
    if task is not None and mcp != "stdio":
        raise BadInput("--task: only over stdio is there a first episode; other clients name the task when they begin one")
    if as_json and mcp == "stdio":
        raise BadInput("--json: over stdio, stdout is the protocol's; leave it out")
    key = _key(key_variable, mcp)
    worlds = _worlds(pack, trust=trust)
    extra = "openenv" if openenv else "mcp"
    refuse_without(extra, "uvicorn", extra=extra)
    from envs.adapters.episodes import Episodes

    held = Episodes(worlds, most=2 * episodes if openenv else episodes, seed=seed, max_steps=max_steps, backend=backend)
    if mcp == "stdio":
        _serve_stdio(held, task, seed)
    elif mcp == "http":
        from envs.adapters.mcp_http import http_app

        _serve_web(http_app(held, host=host, key=key), "MCP", (host, port), path="/mcp", as_json=as_json)
    else:
        from envs.adapters.openenv import openenv_app

        _serve_web(openenv_app(held), "OpenEnv", (host, port), as_json=as_json)
    held.close()
    _say(f"ended after {counted(held.begun, 'episode')}")


def _serve_stdio(episodes: Episodes, task: str | None, seed: int) -> None:
    import anyio

    from envs.adapters.episodes import NoEpisode
    from envs.adapters.mcp import Sitting
    from envs.adapters.stdio import serve_stdio

    if not _has_client():
        raise BadInput("--mcp stdio: stdin is closed, or a file: nobody can be at its other end; let a client start this command, or use --mcp http")
    try:
        sitting = Sitting(episodes, task, None if task is not None else seed)
    except NoEpisode as error:
        raise BadInput(f"--task: {error}") from None
    _say("serving MCP over stdin and stdout, to one client")
    anyio.run(serve_stdio, sitting.server())


def _has_client() -> bool:
    """Whether stdin is of a kind that somebody can be at the other end of: a pipe, a socket or a terminal."""
    stdin: TextIO | None = sys.stdin  # None where the process was started without
    try:
        mode = os.fstat(stdin.fileno()).st_mode if stdin is not None else 0
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stdin is not None and stdin.isatty())


def _serve_web(app: Any, protocol: str, place: tuple[str, int], *, path: str = "", as_json: bool) -> None:
    from envs.adapters.web import listen, serving

    host, port = place
    try:
        listener = listen(host, port)
    except OSError as error:
        raise BadInput(f"--host {host} --port {port}: cannot be listened at ({error.strerror}); give another --port, or 0 for any") from None
    with signals() as ended, serving(app, listener, ended.set) as url:
        _say(f"serving {protocol} at {url}{path}; Ctrl-C ends it")
        if as_json:
            print_json({"protocol": protocol.lower(), "url": url + path, "host": host, "port": listener.getsockname()[1]})
            sys.stdout.flush()
        ended.wait()


def _worlds(pack: Path, *, trust: bool) -> Worlds:
    """Of the pack in this folder or of the blueprint in this file."""
    from envs import make_env

    try:
        env = make_env(pack=pack if pack.is_file() else find_pack(pack), split=None, trust=trust)
    except ValueError as error:
        if type(error) is not ValueError:  # says itself what is wrong, and where
            raise
        raise BadInput(f"{pack}: {error}") from None
    return env.worlds


def _key(variable: str | None, mcp: str | None) -> str | None:
    if variable is None:
        return None
    if mcp != "http":
        raise BadInput("--key-variable: only MCP over HTTP has an endpoint for a harness that a key can guard")
    key = os.environ.get(variable, "")
    if not key:
        raise BadInput(f"--key-variable {variable}: the environment variable holds no key; set it")
    return key


def _say(text: str) -> None:
    sys.stderr.write(f"synthtools: {text}\n")
    sys.stderr.flush()
