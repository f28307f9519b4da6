"""verifiers: a suite or a pack as a taskset, with the harness that plays it in this process and an environment that needs no flag.

verifiers loads plug-ins by the name of a top-level module; `examples/verifiers/` is such a one, and names what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import verifiers.v1 as vf
from openai import APIStatusError, AsyncOpenAI
from verifiers.v1.harnesses.utils.compaction import is_context_overflow

from agents.adapters.scoring import Score, Scorer
from agents.bench.source import load_source
from agents.bench.suite import Suite
from agents.chat import PROMPT, calls_of
from agents.conversation import Conversation, as_text
from agents.episode import begin
from envs import ToolEnv, Worlds, worlds_of
from envs.action import printable
from envs.env import MAX_STEPS
from envs.speech import reply_of, said, talks
from synthtools.task import resolve
from synthtools.tool import ToolCall

CALLS = "calls"
"""Where a trace's `info` holds the episode's calls: names, and arguments as an object, or as the text that was none."""


class WorldsData(vf.TaskData):
    """A task's row: all that it takes to begin its episode anywhere, and nothing of its goal."""

    source: str
    split: str
    trust: bool
    max_steps: int
    """Calls until an episode is cut off."""


class WorldsTask(vf.Task[WorldsData]):
    """Scored by making the calls again that the trace holds."""

    @property
    def key(self) -> str:
        """The task's id."""
        return str(self.data.id)

    @vf.reward(weight=1.0)
    async def success(self, trace: vf.Trace) -> float:
        """1 where the goal is met, and 0 elsewhere; why stands in the trace's `info`."""
        found = self._score(trace)
        trace.info["judgement"] = {"reason": found.reason, "cause": found.cause, "detail": found.detail}
        return found.reward

    @vf.metric
    async def calls(self, trace: vf.Trace) -> Mapping[str, float]:
        """How many, how many came to an error, and whether the agent ended the episode itself."""
        found = self._score(trace)
        return {"calls": float(found.calls), "errors": float(found.errors), "finished": float(found.finished)}

    async def validate(self, runtime: vf.Runtime | None) -> bool:
        """Whether the reference solution earns the reward."""
        data = self.data
        env = ToolEnv(_worlds(data.source, data.split, data.trust), max_steps=data.max_steps)
        env.reset(options={"task": data.id})
        for step in env.task.solution:
            env.step(resolve(step, [orjson.loads(result.content) for _, result in env.calls]))
        return env.judgement.success

    def _score(self, trace: vf.Trace) -> Score:
        data = self.data
        return _scorer(data.source, data.split, data.trust, data.max_steps).score(
            str(data.id), [ToolCall(name, arguments) for name, arguments in trace.info.get(CALLS, ())]
        )


class WorldsConfig(vf.TasksetConfig):
    """Which tasks, under `--env.taskset.*`."""

    source: str = "smoke"
    """A suite (its name or file), or a pack's folder."""
    split: str = "test"
    trust: bool = False
    """Toolkits run in this process, and not in a container."""
    max_steps: int = MAX_STEPS


class WorldsTaskset(vf.Taskset[WorldsTask, WorldsConfig]):
    """The tasks of a suite or a pack, in its order."""

    def load(self) -> Iterator[WorldsTask]:
        """One after another; each has the system message and the request that any other agent is given."""
        config = self.config
        suite = _suite(config.source, config.split, config.trust)
        env = ToolEnv(worlds_of(suite.tasks, suite.domains))
        for task in suite.tasks:
            _, opening = begin(task, env, 0)
            system, request = Conversation(opening, PROMPT, as_text).messages
            yield WorldsTask(
                WorldsData(
                    id=task.id,
                    name=task.id,
                    prompt=request["content"],
                    system_prompt=system["content"],
                    source=config.source,
                    split=config.split,
                    trust=config.trust,
                    max_steps=config.max_steps,
                ),
                config.task,
            )
        env.close()


class WorldsHarnessConfig(vf.HarnessConfig):
    """No settings of its own."""


class WorldsHarness(vf.Harness[WorldsHarnessConfig]):
    """The loop of turns, in this process: a call is made in the world that lies here, and no server stands between."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(  # noqa: PLR0913 - what verifiers hands a harness
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: WorldsData,
    ) -> vf.ProgramResult:
        """Play the episode to its end, or until verifiers refuses another turn."""
        env = ToolEnv(_worlds(data.source, data.split, data.trust), max_steps=data.max_steps)
        env.reset(options={"task": data.id})
        system, request = self.resolve_prompt(data)
        messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": request}]
        tools: list[Any] = list(env.tools)
        try:
            async with AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None) as client:
                while not (env.terminated or env.truncated):
                    completion = await client.chat.completions.create(model=ctx.model, messages=messages, tools=tools)
                    messages += _answered(completion.choices[0].message, env)
        except APIStatusError as refusal:
            if trace.stop_condition is None and not is_context_overflow(refusal):
                raise
        finally:
            trace.info[CALLS] = [[call.name, call.arguments] for call, _ in env.calls]
            env.close()
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


class WorldsEnvConfig(vf.EnvConfig):
    """One agent, whose harness needs no sandbox."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class WorldsEnv(vf.Env[WorldsEnvConfig]):
    """One agent at each task."""

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        """One episode."""
        await agents.agent.run(task)


def _answered(message: Any, env: ToolEnv) -> Sequence[dict[str, Any]]:
    """The model's message, and what its calls came to; text alone goes to the user, or where there is none is the end."""
    taken = message.model_dump(exclude_none=True)
    calls = calls_of(message)
    if not calls:
        observation, *_ = env.step(said(printable(message.content or ""), talks(env.tools)))
        return [taken, {"role": "user", "content": reply_of(observation)}]
    heard = [env.step(call)[0] for call in calls]
    asked = zip(message.tool_calls, heard, strict=True)
    return [taken, *({"role": "tool", "tool_call_id": call.id, "content": content} for call, content in asked)]


@lru_cache(maxsize=4)
def _suite(source: str, split: str, trust: bool) -> Suite:
    """Loaded once in a process."""
    return load_source(source, split, trust=trust)


@lru_cache(maxsize=4)
def _worlds(source: str, split: str, trust: bool) -> Worlds:
    suite = _suite(source, split, trust)
    return worlds_of(suite.tasks, suite.domains)


@lru_cache(maxsize=4)
def _scorer(source: str, split: str, trust: bool, max_steps: int) -> Scorer:
    return Scorer(_suite(source, split, trust), max_steps)
