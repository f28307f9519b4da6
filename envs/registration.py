"""What `gymnasium.make` and `gymnasium.make_vec` call, and the ids under which they find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

import gymnasium
from gymnasium.vector import AutoresetMode

from envs.env import MAX_STEPS, ToolEnv
from envs.reward import Reward
from envs.vector import ToolVectorEnv
from envs.worlds import Difficulty, GrownShelf, Shelf, StoredShelf, Worlds, sort_tasks
from synthtools.catalog import catalog, load_domain
from synthtools.pack import Pack, load_pack
from synthtools.task import Task

Source: TypeAlias = Pack | str | Path | Sequence[str | Path] | None
"""A pack or its folder, blueprint files, or (None) the catalogue."""

WORLDS_ID = "synthtools/Worlds-v0"


class EnvOptions(TypedDict, total=False):
    """What `make_env` takes, for `make_vector` to hand on."""

    pack: Source
    domains: str | Sequence[str] | None
    split: str | None
    weights: Mapping[str, float] | None
    difficulty: Difficulty
    seed: int
    reward: Reward
    max_steps: int
    render_mode: str | None


def make_env(  # noqa: PLR0913 - gymnasium.make passes every option by name
    *,
    pack: Source = None,
    domains: str | Sequence[str] | None = None,
    split: str | None = "train",
    weights: Mapping[str, float] | None = None,
    difficulty: Difficulty = None,
    seed: int = 0,
    reward: Reward = "success",
    max_steps: int = MAX_STEPS,
    render_mode: str | None = None,
) -> ToolEnv:
    """An environment over a mixture of domains.

    `pack`: a pack's folder, a blueprint file or several, or None for the catalogue. `domains`: names of those to take, or None for all.
    `split`: `train`, `validation`, `test`, or None for any. `weights`: domain → how often relative to others, 1 where not given.
    `difficulty`: one, or a range with both ends. `seed`: of the tasks that are grown (a pack brings its own). `reward`: `success`, `shaped`,
    or a function. `max_steps`: calls until an episode is truncated. Raises ValueError when nothing is left to choose from.
    """
    names = (domains,) if isinstance(domains, str) else domains
    low, high = difficulty if isinstance(difficulty, Sequence) else (difficulty, difficulty)
    wanted = None if low is None or high is None else (low, high)
    shelves = {name: shelf for name, shelf in _shelves(pack, names, seed) if names is None or name in names}
    worlds = Worlds(_of_split(shelves, split, names), weights, wanted)
    return ToolEnv(worlds, reward=reward, max_steps=max_steps, render_mode=render_mode)
