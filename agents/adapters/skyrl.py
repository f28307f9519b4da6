"""SkyRL-gym: an environment of text, in which the calls stand in what the model wrote, and the rows of a dataset for it.

`skyrl_gym.register(id="synthtools", entry_point="agents.adapters.skyrl:ToolTextEnv")` makes it known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from agents.bench.source import load_source
from agents.bench.suite import Suite
from agents.chat import PROMPT
from agents.conversation import Conversation, as_text
from agents.episode import begin
from agents.students.calls import read_calls
from envs import ToolEnv, Worlds, worlds_of
from envs.action import printable
from envs.env import MAX_STEPS
from envs.speech import reply_of, said, talks
from synthtools.task import Task

ENV_CLASS = "synthtools"
_HOW = """A call is made so, several in one turn if you like; text without a call {alone}:
<tool_call>
{{"name": ..., "arguments": {{...}}}}
</tool_call>"""


class ToolTextEnv(BaseTextEnv):
    """One episode: a turn of text in, what its calls came to out; the reward is that of `ToolEnv`.

    `extras`, a dataset's row: `extra_info` with `source` (a suite, or a pack's folder), `split` and `task` (its id), and `max_turns`.
    `env_config`: `reward` (`success` or `shaped`), `max_steps` (calls) and `trust` (toolkits run in this process).
    """

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        config, row = env_config or {}, extras or {}
        info = row["extra_info"]
        worlds, tasks = _worlds(info["source"], info.get("split", "train"), bool(config.get("trust", False)))
        self.max_turns = int(row.get("max_turns", MAX_STEPS))
        self.env = ToolEnv(worlds, reward=config.get("reward", "success"), max_steps=int(config.get("max_steps", MAX_STEPS)))
        self._task = tasks[info["task"]]
        self._names: list[str] = []
        self._talks = False
        self._malformed = 0

    def init(self, prompt: Sequence[Mapping[str, str]]) -> tuple[list[Mapping[str, str]], dict[str, Any]]:
        """Begin the episode. The prompt is the row's, or where that has none (as in tests) the one that a row would have."""
        self.env.reset(options={"task": self._task})
        self._names = [tool["function"]["name"] for tool in self.env.tools]
        self._talks = talks(self.env.tools)
        self.turns, self._malformed = 0, 0
        return list(prompt) or list(_messages(self.env, self._task)), {"task": self._task.id}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Make the calls of a turn in order, until the episode is over. What cannot be read as a call comes back as its error."""
        self.turns += 1
        reading = read_calls(printable(action), self._names)
        self._malformed += reading.malformed
        calls = reading.calls or (said(reading.text, self._talks),)
        heard, reward = [], 0.0
        for call in calls:
            observation, gained, *_ = self.env.step(call)
            heard.append(observation)
            reward += float(gained)
            if self.over:
                break
        if self.turns >= self.max_turns:
            reward += self.env.truncate()
        shown = "\n".join(f"<tool_response>\n{observation}\n</tool_response>" for observation in heard) if reading.calls else reply_of(heard[-1])
        return BaseTextEnvStepOutput(
            observations=[] if self.over else [{"role": "user", "content": shown}], reward=reward, done=self.over, metadata={"results": heard}
        )

    @property
    def over(self) -> bool:
        """Whether the world takes no more calls."""
        return self.env.terminated or self.env.truncated

    def get_metrics(self) -> dict[str, float]:
        """What trainers average: success, calls, mistakes among them, calls that could not be read, and whether it was ended by `finish`."""
        errors = sum(result.mistaken for _, result in self.env.calls)
        return {
            "success": float(self.env.judgement.success),
            "calls": float(len(self.env.calls)),
            "errors": float(errors),
            "malformed": float(self._malformed),
            "finished": float(self.env.terminated),
        }

    def close(self) -> None:
        """Let go of the world."""
        self.env.close()


def rows(source: str, split: str = "train", *, trust: bool = False) -> Iterator[dict[str, Any]]:
    """A dataset's rows, one a task of the split (`all`: of every): prompt with the tools in it, and what `ToolTextEnv` needs to begin."""
    worlds, tasks = _worlds(source, split, trust)
    env = ToolEnv(worlds)
    for task in tasks.values():
        yield {
            "data_source": "synthtools",
            "prompt": list(_messages(env, task)),
            "env_class": ENV_CLASS,
            "reward_spec": {"method": "rule", "ground_truth": ""},
            "extra_info": {"source": source, "split": split, "task": task.id},
        }
    env.close()


@lru_cache(maxsize=4)
def _worlds(source: str, split: str, trust: bool) -> tuple[Worlds, Mapping[str, Task]]:
    """Loaded once in a process."""
    suite: Suite = load_source(source, split, trust=trust)
    return worlds_of(suite.tasks, suite.domains), {task.id: task for task in suite.tasks}


def _messages(env: ToolEnv, task: Task) -> list[dict[str, str]]:
    _, opening = begin(task, env, 0)
    system, request = Conversation(opening, PROMPT, as_text).messages
    tools = "\n".join(orjson.dumps(tool).decode() for tool in env.tools)
    how = _HOW.format(alone="is said to the person who asked" if talks(env.tools) else "ends the work, as your answer")
    return [{"role": "system", "content": f"{system['content']}\n\n<tools>\n{tools}\n</tools>\n\n{how}"}, request]
