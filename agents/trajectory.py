"""A trajectory: the record of one episode, as it is stored, replayed and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from envs.speech import said
from synthtools.goal import Change, Changes, Ending
from synthtools.tool import ToolCall, ToolResult
from synthtools.user import RESPOND


@dataclass(frozen=True, slots=True)
class Step:
    """One call, its result, and the turn of the agent that it belongs to."""

    turn: int
    """From 0; the calls of one turn were made together, in order."""
    call: ToolCall
    result: ToolResult
    text: str = ""
    """What the turn said beside its calls; kept on the turn's first step."""
    tokens: int = 0
    """Tokens that the turn's completion took; kept on the turn's first step."""
    spoken: bool = False
    """The turn was text alone, which counts as `respond` where there is a user, and as `finish` with that text elsewhere."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One episode of one agent at one task. It holds no time of day and no duration."""

    pack: str
    """Digest of the pack that the task is from."""
    task: str
    domain: str
    agent: str
    """The agent's identity: model, prompt and sampling settings included."""
    trial: int
    seed: int
    steps: tuple[Step, ...]
    ending: Ending | None
    """How the agent finished; None when a limit ended the episode."""
    success: bool
    reason: str
    """What was nearest at fault; empty on success."""
    reward: float | None
    """The sum over the episode; None when it was not scored."""
    changes: Changes
    """The net change of the world since the start."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from every other trajectory."""
        return (self.pack, self.task, self.agent, self.trial)

    @property
    def errors(self) -> int:
        """How many of its calls were mistakes: came to an error that is no fault of the service."""
        return sum(step.result.mistaken for step in self.steps)


def turn_fault(steps: Sequence[Step]) -> str:
    """What cannot be so in how the steps make turns and in what is said beside them; empty when all can."""
    before = -1
    for number, step in enumerate(steps):
        if (type(step.turn), type(step.text), type(step.tokens), type(step.spoken)) != (int, str, int, bool):
            return f"step {number}: turn, text, tokens or spoken is of another type"
        first = step.turn != before
        if step.turn != before + first:
            return f"step {number} is of turn {step.turn}, after turn {before}"
        if step.tokens < 0 or (not first and (step.text or step.tokens)):
            return f"step {number}: text and tokens belong to a turn's first step, and tokens are not below zero"
        alone = first and (number + 1 == len(steps) or steps[number + 1].turn != step.turn)
        if step.spoken and not (alone and _says(step.call, step.text)):
            return f"step {number} is not what text alone stands for"
        before = step.turn
    return ""


def _says(call: ToolCall, text: str) -> bool:
    return call == said(text, call.name == RESPOND.name)


def dump_trajectory(trajectory: Trajectory) -> bytes:
    """Canonical JSON: keys in order, no spaces, defaults of steps left out; arguments keep the order they came in."""
    ending = trajectory.ending
    return orjson.dumps(
        {
            "agent": trajectory.agent,
            "changes": [[change.table, change.op, change.key, change.before, change.after] for change in trajectory.changes],
            "domain": trajectory.domain,
            "ending": None if ending is None else {"about": ending.about, "answer": ending.answer, "outcome": ending.outcome},
            "pack": trajectory.pack,
            "reason": trajectory.reason,
            "reward": trajectory.reward,
            "seed": trajectory.seed,
            "steps": [_step_data(step) for step in trajectory.steps],
            "success": trajectory.success,
            "task": trajectory.task,
            "trial": trajectory.trial,
        }
    )


def load_trajectory(record: bytes | str) -> Trajectory:
    """The trajectory that `dump_trajectory` wrote; ValueError, KeyError or TypeError when it is not one."""
    data = orjson.loads(record)
    _typed(data, _TYPES)
    ending = data["ending"]
    return Trajectory(
        pack=data["pack"],
        task=data["task"],
        domain=data["domain"],
        agent=data["agent"],
        trial=data["trial"],
        seed=data["seed"],
        steps=tuple(_step(step) for step in data["steps"]),
        ending=None if ending is None else Ending(**ending),
        success=data["success"],
        reason=data["reason"],
        reward=data["reward"],
        changes=tuple(Change(*change) for change in data["changes"]),
    )


def _step_data(step: Step) -> dict[str, Any]:
    call, result = step.call, step.result
    data: dict[str, Any] = {"arguments": call.arguments, "content": result.content, "name": call.name, "turn": step.turn}
    if result.error is not None:
        data["error"] = result.error
    if result.reason:
        data["reason"] = result.reason
    if step.text:
        data["text"] = step.text
    if step.tokens:
        data["tokens"] = step.tokens
    if step.spoken:
        data["spoken"] = True
    return data


_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("pack", "task", "domain", "agent", "reason"), (str,)),
    **{"trial": (int,), "seed": (int,), "success": (bool,), "reward": (float, type(None))},
}
_STEP_TYPES: Mapping[str, tuple[type, ...]] = {"name": (str,), "arguments": (dict, str), "content": (str,)}


def _typed(data: Mapping[str, Any], types: Mapping[str, tuple[type, ...]]) -> None:
    for name, kinds in types.items():
        if type(data[name]) not in kinds:
            raise TypeError(f"{name} is of the type {type(data[name]).__name__}")


def _step(data: Mapping[str, Any]) -> Step:
    _typed(data, _STEP_TYPES)
    return Step(
        turn=data["turn"],
        call=ToolCall(data["name"], data["arguments"]),
        result=ToolResult(data["content"], data.get("error"), data.get("reason", "")),
        text=data.get("text", ""),
        tokens=data.get("tokens", 0),
        spoken=data.get("spoken", False),
    )
