"""The report of a run, or of two against one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.bench.grade import Episode, Graded
from agents.report.overview import Names, names_in, overview
from agents.report.page import page
from agents.report.sample import choose
from agents.report.sources import How, Told, grade_all, place_of, tell_all

_MARK = " - report"
"""How the title of a report ends, and by which it is known."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report, ready to be written."""

    page: bytes
    """HTML."""
    figures: Mapping[str, Any]
    """As `overview` gives them."""
    episodes: int
    """Scored."""
    shown: int
    words: str
    """What was left out."""


def make_report(folders: Sequence[Path], limit: int | None = None, how: How | None = None) -> Report:
    """Grade the runs, carry out the episodes to be shown, and write the page.

    Raises RunError and PackError.
    """
    how = how or How()
    runs = grade_all(folders, how)
    names = names_in(folders, runs)
    figures = overview(folders, runs, names)
    chosen = choose([episode for run in runs for episode in run.episodes], limit)
    kept = {id(episode) for episode in chosen.episodes}
    shown = [[episode for episode in run.episodes if id(episode) in kept] for run in runs]
    told = [tell_all(folder, episodes, how) for folder, episodes in zip(folders, shown, strict=True)]
    data, stories = _data(runs, names, shown, told)
    title = " against ".join(folder.resolve().name for folder in folders)
    whole = {**figures, **data, "title": title, "left_out": chosen.words}
    return Report(page(f"{title}{_MARK}", whole, stories), figures, sum(len(run.episodes) for run in runs), len(stories), chosen.words)


def is_report(begins: bytes) -> bool:
    """Whether a file that begins so is a report."""
    return begins.startswith(b"<!doctype html>") and f"{_MARK}</title>".encode() in begins


def _data(
    runs: Sequence[Graded], names: Names, shown: Sequence[Sequence[Episode]], told: Sequence[Told]
) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """What lists and filters need of every episode that is shown, and the episodes themselves in the same order."""
    index: list[Mapping[str, Any]] = []
    stories: list[Mapping[str, Any]] = []
    tasks: dict[str, Any] = {}
    domains: dict[str, Any] = {}
    for number, episodes in enumerate(shown):
        tasks |= told[number].tasks
        domains |= told[number].domains
        for episode in episodes:
            index.append(entry_of(episode, names[number][episode.agent]))
            stories.append(told[number].stories[place_of(episode)])
    return {"index": index, "tasks": tasks, "domains": domains}, stories


def entry_of(episode: Episode, agent: str) -> dict[str, Any]:
    """What lists and filters need of an episode, its agent named as the report does."""
    return {
        "agent": agent,
        "task": episode.task,
        "trial": episode.trial,
        "success": episode.success,
        "cause": episode.cause,
        "detail": episode.detail,
        "calls": episode.calls,
        "errors": episode.errors,
        "tokens": episode.tokens,
    }
