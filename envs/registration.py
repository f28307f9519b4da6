"""What `gymnasium.make` and `gymnasium.make_vec` call, and the ids under which they find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

import gymnasium
from gymnasium.vector import AutoresetMode

from envs.env import MAX_STEPS, ToolEnv
from envs.reward import Reward
from envs.vector import ToolVectorEnv
from envs.worlds import Difficulty, GrownShelf, Shelf, StoredShelf, Worlds, sort_tasks
from synthtools.backends import BackendName
from synthtools.catalog import catalog
from synthtools.load import load_domain
from synthtools.pack import Pack, load_pack
from synthtools.toolkit.collect import tasks_beside

Source: TypeAlias = Pack | str | Path | Sequence[str | Path] | None
"""A pack or its folder, blueprint files, or (None) the catalogue."""

WORLDS_ID = "synthtools/Worlds-v0"


class EnvOptions(TypedDict, total=False):
    """What `make_env` takes, for `make_vector` to hand on."""

    pack: Source
    trust: bool
    domains: str | Sequence[str] | None
    split: str | None
    weights: Mapping[str, float] | None
    difficulty: Difficulty
    seed: int
    reward: Reward
    max_steps: int
    render_mode: str | None
    backend: BackendName | None


def make_env(  # noqa: PLR0913 - gymnasium.make passes every option by name
    *,
    pack: Source = None,
    trust: bool = False,
    domains: str | Sequence[str] | None = None,
    split: str | None = "train",
    weights: Mapping[str, float] | None = None,
    difficulty: Difficulty = None,
    seed: int = 0,
    reward: Reward = "success",
    max_steps: int = MAX_STEPS,
    render_mode: str | None = None,
    backend: BackendName | None = None,
) -> ToolEnv:
    """An environment over a mixture of domains.

    `pack`: a pack's folder, a blueprint's or a toolkit's file or several, or None for the catalogue. `trust`: toolkits run in this
    process, and not in a container. `domains`: names of those to take, or None for all.
    `split`: `train`, `validation`, `test`, or None for any. `weights`: domain → how often relative to others, 1 where not given.
    `difficulty`: one, or a range with both ends. `seed`: of the tasks that are grown (a pack brings its own). `reward`: `success`, `shaped`
    or a function. `max_steps`: calls until an episode is truncated. `backend`: `local`, `docker`, or None for
    what the trust in the code asks for. Raises ValueError when nothing is left to choose from.
    """
    names = (domains,) if isinstance(domains, str) else domains
    found = list(_entries(pack, seed, trust=trust))
    _refuse_strangers(names, [entry.name for entry in found])
    chosen = [entry for entry in found if names is None or entry.name in names]
    taken = {entry.name: entry.shelf for entry in chosen if split is None or entry.split == split}
    if not taken or (names is not None and len(taken) < len(chosen)):
        others = ", ".join(f"{entry.name} is of {entry.split}" for entry in chosen if entry.name not in taken)
        raise ValueError(f"no domain of the {split} split: {others}" if others else "there are no domains")
    wanted = None if difficulty is None else _range(difficulty)
    worlds = Worlds({name: shelf for name, shelf in taken.items() if _has(shelf, wanted)}, weights, wanted)
    return ToolEnv(worlds, reward=reward, max_steps=max_steps, render_mode=render_mode, backend=backend)


def make_vector(
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = None,
    **options: Unpack[EnvOptions],
) -> ToolVectorEnv:
    """Many of `make_env`'s environments in one process; `max_episode_steps` bounds `max_steps`, as Gymnasium's own wrapper would."""
    if max_episode_steps is not None:
        options["max_steps"] = min(max_episode_steps, options.get("max_steps", MAX_STEPS))
    return ToolVectorEnv(make_env(**options), num_envs, autoreset_mode=autoreset_mode)


def register_envs() -> None:
    """Register an id for every domain of the catalogue, and one for mixtures. Compiles nothing; doing it again changes nothing."""
    for entry in catalog().values():
        _register(entry.env_id, {"domains": entry.name, "split": None})
    _register(WORLDS_ID, {})


def _register(env_id: str, kwargs: dict[str, Any]) -> None:
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, entry_point="envs.registration:make_env", vector_entry_point="envs.registration:make_vector", kwargs=kwargs)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A domain to choose from."""

    name: str
    split: str
    shelf: Shelf


def _entries(source: Source, seed: int, *, trust: bool) -> Iterator[_Entry]:
    if source is None:
        for entry in catalog().values():
            yield _Entry(entry.name, entry.split, GrownShelf(entry.name, seed))
    elif isinstance(source, Pack):
        yield from _packed(source)
    elif isinstance(source, str | Path) and Path(source).is_dir():
        yield from _packed(load_pack(source, trust=trust))
    else:
        for path in [source] if isinstance(source, str | Path) else source:
            domain = load_domain(str(path), trust=trust)
            shelf = GrownShelf(str(path), seed) if domain.toolkit is None else StoredShelf(domain, tasks_beside(path, domain).tasks)
            yield _Entry(domain.name, domain.split, shelf)


def _packed(pack: Pack) -> Iterator[_Entry]:
    for name, tasks in sort_tasks(pack.tasks, pack.domains).items():
        yield _Entry(name, pack.domains[name].split, StoredShelf(pack.domains[name], tasks))


def _refuse_strangers(names: Sequence[str] | None, found: Sequence[str]) -> None:
    strangers = sorted(set(names or ()) - set(found))
    if strangers:
        raise ValueError(f"there is no domain {strangers[0]!r} among {', '.join(found)}")


def _range(difficulty: int | Sequence[int]) -> tuple[int, int]:
    low, high = (difficulty, difficulty) if isinstance(difficulty, int) else difficulty
    if low > high:
        raise ValueError(f"no difficulty lies between {low} and {high}")
    return low, high


def _has(shelf: Shelf, wanted: tuple[int, int] | None) -> bool:
    """Whether a shelf holds a task of that difficulty; of one that is grown as it is used, this is not asked."""
    if wanted is None or not isinstance(shelf, StoredShelf):
        return True
    return any(wanted[0] <= task.difficulty <= wanted[1] for task in shelf.stored)
