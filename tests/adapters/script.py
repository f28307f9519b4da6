"""What every adapter is held to: the same task and the same calls come to the same results and reward as in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from envs import ToolEnv
from synthtools.pack import Pack
from synthtools.task import resolve
from synthtools.tool import ToolCall


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call comes to."""

    call: ToolCall
    content: str
    """JSON text."""
    error: str | None
    reward: float
    terminated: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Script:
    """One episode: its calls, and all that they come to in this process."""

    task: str
    domain: str
    opening: str
    """The first observation."""
    tools: Sequence[Any]
    """Schemas on offer."""
    heard: tuple[Heard, ...]
    success: bool


def scripts(pack: Pack) -> Iterator[Script]:
    """For each domain and kind of the pack: one episode that succeeds after an agent's mistakes, and one that ends in vain."""
    chosen = {(task.domain, task.kind): task for task in reversed(pack.tasks)}
    env = ToolEnv(pack)
    for _, task in sorted(chosen.items()):
        for vain in (False, True):
            opening, _ = env.reset(options={"task": task})
            heard = [_make(env, call) for call in (ToolCall("no_such_tool", {}), ToolCall(_first(env), {"nonsense": 1}))]
            results: list[Any] = []
            for step in task.solution[-1:] if vain else task.solution:
                call = ToolCall("finish", {"outcome": "done", "answer": "in vain"}) if vain else resolve(step, results)
                heard.append(_make(env, call))
                results.append(orjson.loads(heard[-1].content))
            yield Script(task.id, task.domain, opening, env.tools, tuple(heard), env.judgement.success)
    env.close()


def _first(env: ToolEnv) -> str:
    return str(env.tools[0]["function"]["name"])


def _make(env: ToolEnv, call: ToolCall) -> Heard:
    content, reward, terminated, truncated, info = env.step(call)
    return Heard(call, content, info.get("error"), float(reward), terminated, truncated)
