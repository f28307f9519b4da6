"""Episodes by token: bounded, never mixed, and whole calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs import ToolEnv
from envs.adapters.episodes import Account, Episode, Episodes, NoEpisode
from envs.worlds import as_worlds
from packs import small_pack
from synthtools.pack import load_pack
from synthtools.task import Task, resolve

PACK = load_pack(small_pack())
WORLDS = as_worlds(PACK)


@pytest.fixture
def episodes() -> Iterator[Episodes]:
    """A server's worth of them, closed afterwards."""
    made = Episodes(WORLDS, most=64)
    yield made
    made.close()


def solve(episode: Episode, task: Task) -> None:
    """Make the reference's calls."""
    results: list[Any] = []
    for step in task.solution:
        call = resolve(step, results)
        results.append(orjson.loads(episode.call(call.name, arguments(call.arguments)).content))


def arguments(given: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """As an object."""
    return orjson.loads(given) if isinstance(given, str) else given


@given(st.integers(0, 2**53))
def test_a_seed_draws_what_it_draws_in_an_environment(seed: int) -> None:
    """The same task, opening and tools as `reset` with that seed."""
    made, env = Episodes(WORLDS), ToolEnv(PACK)
    opening, info = env.reset(seed=seed)
    episode = made.begin(seed=seed)
    assert (episode.opening, episode.tools, episode.account().task) == (opening, env.tools, info["task_id"])
    made.close()
    env.close()


def test_episodes_without_a_seed_follow_from_the_servers() -> None:
    """Two servers with one seed begin the same episodes in turn; with another, others."""
    drawn = []
    for seed in (1, 1, 2):
        made = Episodes(WORLDS, seed=seed)
        drawn.append([made.begin().account().task for _ in range(6)])
        made.close()
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 1


def test_what_it_came_to_is_told_whole_at_its_end(episodes: Episodes) -> None:
    """A solved task earns its reward; one that is given up is unscored, which is not zero."""
    task = PACK.tasks[0]
    solved, left = episodes.begin(task.id), episodes.begin(task.id)
    solve(solved, task)
    assert episodes.end(solved.token) == Account(task.id, task.domain, len(task.solution), True, False, 1.0, True, "")
    assert episodes.end(left.token) == Account(task.id, task.domain, 0, False, False, None, False, "no_ending")
    assert len(episodes) == 0


def test_a_call_after_the_end_is_answered_and_changes_nothing(episodes: Episodes) -> None:
    """As the environment answers it: the reward stays what it was."""
    task = PACK.tasks[0]
    episode = episodes.begin(task.id)
    solve(episode, task)
    late = episode.call("finish", {"outcome": "impossible"})
    assert (late.error, late.over, episode.account().reward) == ("episode_done", True, 1.0)


def test_tokens_say_what_became_of_their_episode(episodes: Episodes) -> None:
    """One that was ended is told from one that never was, and each message says what to do."""
    token = episodes.begin().token
    episodes.end(token)
    with pytest.raises(NoEpisode, match=r"ended, or let go.*Begin another"):
        episodes.find(token)
    for stranger in ("", "0", f"1{token}", token[:-1], "0-\ud800", "٣-1", Episodes(WORLDS).begin().token):
        with pytest.raises(NoEpisode, match="not of this server, or not whole"):
            episodes.find(stranger)


def test_the_one_unused_for_longest_makes_room() -> None:
    """A call counts as use; whoever is let go is told so."""
    made = Episodes(WORLDS, most=3)
    held = [made.begin() for _ in range(3)]
    made.find(held[0].token)
    newest = made.begin()
    assert len(made) == 3
    for episode in (held[0], held[2], newest):
        assert made.find(episode.token) is episode
    with pytest.raises(NoEpisode, match="let go"):
        made.find(held[1].token)
    with pytest.raises(NoEpisode, match="unused for longest of 3 at once"):
        held[1].call("finish", {})
    made.close()


def test_a_fault_of_ours_is_raised_and_never_scored(episodes: Episodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks like no mistake of the agent's, and the episode has no account afterwards."""
    episode = episodes.begin()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(ToolEnv, "step", broken)
    with pytest.raises(ZeroDivisionError):
        episode.call("finish", {})
    with pytest.raises(NoEpisode, match="lost to a fault of this server"):
        episodes.end(episode.token)


def test_a_task_that_is_not_here_begins_nothing(episodes: Episodes) -> None:
    """And is named."""
    with pytest.raises(NoEpisode, match="There is no task 'marina_berths/none' here."):
        episodes.begin("marina_berths/none")
    assert len(episodes) == 0


def test_threads_mix_nothing(episodes: Episodes) -> None:
    """Forty episodes of all tasks in eight threads, call by call: each comes to what it comes to alone."""

    def whole(number: int) -> tuple[Account, Account]:
        task = PACK.tasks[number % len(PACK.tasks)]
        episode = episodes.begin(task.id)
        solve(episode, task)
        return episodes.end(episode.token), Account(task.id, task.domain, len(task.solution), True, False, 1.0, True, "")

    with ThreadPoolExecutor(8) as pool:
        for came, alone in pool.map(whole, range(40)):
            assert came == alone


def test_calls_of_one_episode_are_made_one_after_another(episodes: Episodes) -> None:
    """Two hundred at once: as many as fit are made, each whole."""
    episode = episodes.begin(PACK.tasks[0].id)
    name = episode.tools[0]["function"]["name"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: episode.call(name, {"nonsense": 1}), range(200)))
    account = episode.account()
    assert (account.calls, account.truncated, account.reward) == (episodes.max_steps, True, 0.0)
    assert [answer.error for answer in answers].count("episode_done") == 200 - episodes.max_steps
