"""Which episodes are looked at, where there are more than anybody reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.bench.grade import Episode
from synthtools.seed import derive

SUCCESSES = 200
"""So many of them are shown where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The episodes to show, and in words what was left out."""

    episodes: list[Episode]
    """In the order that they were given in."""
    words: str


def choose(episodes: Sequence[Episode], limit: int | None = None) -> Chosen:
    """All failures and some successes; with a limit so many in all, at most nine failures to a success while there are both."""
    failed = [episode for episode in episodes if not episode.success]
    right = [episode for episode in episodes if episode.success]
    if limit is None:
        limit = len(failed) + min(len(right), SUCCESSES)
    successes = min(len(right), max(limit - len(failed), limit // 10))
    kept = [*spread(failed, limit - successes), *spread(right, successes)]
    places = {id(episode) for episode in kept}
    shown = [episode for episode in episodes if id(episode) in places]
    failures = sum(not episode.success for episode in shown)
    return Chosen(shown, _words((failures, len(failed)), (len(shown) - failures, len(right))))


def spread(episodes: Sequence[Episode], count: int, seed: int = 0) -> list[Episode]:
    """So many of the episodes, taken in turns from each agent, kind, outcome and cause; within each they are drawn."""
    strata: dict[tuple[str, ...], list[Episode]] = {}
    for episode in episodes:
        strata.setdefault((episode.agent, episode.kind, episode.cause), []).append(episode)
    turns = []
    for name, stratum in strata.items():
        ordered = sorted(stratum, key=lambda episode: derive(seed, "sample", episode.agent, episode.task, episode.trial))
        turns += [(turn, derive(seed, "stratum", *name), episode) for turn, episode in enumerate(ordered)]
    turns.sort(key=lambda entry: entry[:2])
    return [episode for *_, episode in turns[: max(0, count)]]


def _words(failed: tuple[int, int], right: tuple[int, int]) -> str:
    """`All 93 failures are here and 7 of 40 successes`."""
    shown = failed[0] + right[0]
    if shown == failed[1] + right[1]:
        return f"All {shown:,} scored episodes can be read here."
    return (
        f"{shown:,} of {failed[1] + right[1]:,} scored episodes can be read here: {_part(*failed, 'failure')} and {_part(*right, 'success')}, "
        "spread evenly over agents, kinds and causes. Every figure counts all of them; `synthtools report --trajectories N` keeps another number."
    )


def _part(some: int, whole: int, noun: str) -> str:
    words = noun if whole == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"all {whole:,} {words}" if some == whole else f"{some:,} of {whole:,} {words}"
