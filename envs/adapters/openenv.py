"""Episodes as an OpenEnv server: one websocket is one session, with episodes one after another.

OpenEnv's split is kept: `reset` (with `seed` or `task`), rewards and `done` are for the training side that holds the websocket; the agent is shown
the result of its calls. An action is a `CallToolAction`, so the generic client and the client of tools both work. A call's result is the
environment's text, also where the agent made a mistake, whose code then stands in `metadata["error"]`; the protocol's own errors are faults of
ours. A reward before the end of an episode is 0.0 and tells nothing. A session whose client never resets, as clients of tools do not, gets the
server's next episode when it first asks for tools.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from openenv.core.env_server import Environment, create_app
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation, ListToolsAction, ListToolsObservation, Tool
from openenv.core.env_server.types import EnvironmentMetadata, Observation, State
from pydantic import Field

from envs.adapters.episodes import Episode, Episodes, NoEpisode


class Opening(Observation):  # type: ignore[misc]
    """What an episode begins with."""

    opening: str = Field(description="The day, the policies and the request.")
    tool_schemas: list[dict[str, Any]] = Field(description="The task's tools, as chat models take them.")


class ToolEnvironment(Environment):  # type: ignore[misc]
    """One session: an episode of the server's, and the next one at each reset."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, episodes: Episodes) -> None:
        super().__init__()
        self._episodes = episodes
        self._current: Episode | None = None
        self._name: str | None = None
        self._calls = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None, task: str | None = None) -> Opening:
        """Begin an episode of this task, or of the one that the seed draws; NoEpisode for a task that is not there."""
        begun = self._episodes.begin(task, seed)
        self.close()
        self._current, self._name, self._calls = begun, episode_id, 0
        return Opening(opening=begun.opening, tool_schemas=[dict(tool) for tool in begun.tools])

    def step(self, action: CallToolAction | ListToolsAction, timeout_s: float | None = None) -> Observation:
        """Make one call, or list the tools."""
        if self._current is None:
            self.reset()
        episode = self._current
        if episode is None:
            raise NoEpisode("The session has no episode; reset it.")
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=[_tool(schema["function"]) for schema in episode.tools], done=episode.over)
        answer = episode.call(action.tool_name, action.arguments)
        self._calls += 1
        metadata = {} if answer.error is None else {"error": answer.error}
        return CallToolObservation(tool_name=action.tool_name, result=answer.content, done=answer.over, reward=answer.reward, metadata=metadata)

    @property
    def state(self) -> State:
        """How far the episode is; nothing of its world or goal."""
        return State(episode_id=self._name, step_count=self._calls)

    def get_metadata(self) -> EnvironmentMetadata:
        """What the server says of itself."""
        words = "Worlds of synthetic tools: an agent does what is asked for by calls, and ends the episode with `finish`."
        return EnvironmentMetadata(name="synthtools", description=words, version="1")

    def close(self) -> None:
        """Give the episode up, if there is one."""
        episode, self._current = self._current, None
        if episode is not None:
            self._episodes.discard(episode.token)


def openenv_app(episodes: Episodes) -> Any:
    """The web application (FastAPI) of these episodes; half as many sessions as episodes, since at a reset a session has two for a moment."""
    return create_app(
        partial(ToolEnvironment, episodes),
        CallToolAction,
        CallToolObservation,
        env_name="synthtools",
        max_concurrent_envs=max(1, episodes.most // 2),
        reset_observation_cls=Opening,
    )


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(name=function["name"], description=function["description"], input_schema=dict(function["parameters"]))
