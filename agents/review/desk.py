"""What reviewers look at: a sample of a run, drawn once and kept with the decisions."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agents.bench.causes import CAUSES
from agents.bench.grade import Episode, Graded
from agents.report.report import entry_of
from agents.report.sample import spread
from agents.report.sources import How, Telling, grade_all
from agents.review.agreement import statistics
from agents.review.store import NAME, Decision, Reviews, numbered
from agents.run import RunError
from agents.stored import Stored

SAMPLE = 50
"""Episodes, where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How the sample is to be drawn; None: as it was, or as is usual."""

    sample: int | None = None
    seed: int | None = None


class Desk:
    """A run's sample with its decisions, for any number of threads."""

    def __init__(self, folder: Path, asked: Asked | None = None, how: How | None = None) -> None:
        """Draws the sample where there is none yet, for which the run is graded. Raises RunError and PackError."""
        how = how or How()
        self._telling = Telling(folder, how)
        try:
            self.reviews = Reviews(folder)
            _begin(self.reviews, folder, asked or Asked(), how)
        except BaseException:
            self._telling.close()
            raise
        self.title = folder.resolve().name
        self.entries = self.reviews.entries()
        self.identity = hashlib.blake2b(orjson.dumps([str(folder.resolve()), self.entries]), digest_size=8).hexdigest()
        self._lock = threading.Lock()
        self._told: dict[int, bytes] = {}

    def story(self, place: int) -> bytes:
        """An episode of the sample, as JSON that the page shows. Raises LookupError where there is none, RunError where the run was changed."""
        if not 0 <= place < len(self.entries):
            raise LookupError(f"the sample has no {numbered(place)}")
        with self._lock:
            if place not in self._told:
                self._told[place] = self._tell(self.entries[place])
            return self._told[place]

    def _tell(self, entry: Mapping[str, Any]) -> bytes:
        story = self._telling.story((entry["agent"], entry["task"], entry["trial"]))
        task = self._telling.tasks[entry["task"]]
        parts = {"entry": entry, "task": task, "domain": self._telling.domains[task["domain"]], "story": story}
        return orjson.dumps({**parts, "causes": {entry["cause"]: CAUSES[entry["cause"]]} if entry["cause"] else {}})

    def decide(self, decision: Decision) -> int:
        """Keep a decision and return its version. Raises LookupError and Changed."""
        return self.reviews.decide(decision)

    def summary(self) -> dict[str, Any]:
        """The statistics of all decisions."""
        return statistics(self.reviews.decisions(), len(self.entries))

    def close(self) -> None:
        """Let go of the run and the decisions."""
        self.reviews.close()
        self._telling.close()

    def __enter__(self) -> Desk:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()


def stored_summary(folder: Path) -> dict[str, Any]:
    """The statistics of a run's decisions, with each decision; nothing is graded. Places count from 0. Raises RunError where there are none."""
    if not (folder / NAME).is_file():
        Stored(folder).close()  # which says so where there is no run either
        raise RunError(f"{folder}: nobody has reviewed it yet (there is no {NAME}); begin with `synthtools review {folder}`")
    with Reviews(folder) as reviews:
        entries, decisions = reviews.entries(), reviews.decisions()
    return {**statistics(decisions, len(entries)), "decisions": [_told(decision, entries[decision.place]) for decision in decisions]}


def _told(decision: Decision, entry: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: entry[name] for name in ("agent", "task", "trial", "success", "cause")}
    return {"reviewer": decision.reviewer, "place": decision.place, "verdict": decision.verdict, "comment": decision.comment, **about}


def _begin(reviews: Reviews, folder: Path, asked: Asked, how: How) -> None:
    """Hold what is asked for against the stored sample, or draw one."""
    stored = reviews.settings()
    for name, value in (("sample", asked.sample), ("seed", asked.seed)):
        if stored and value is not None and stored[name] != value:
            raise RunError(f"{reviews.path}: its sample was drawn with --{name} {stored[name]}, not {value}; leave that out, or move the file away")
    if stored:
        return
    settings = {"sample": SAMPLE if asked.sample is None else asked.sample, "seed": asked.seed or 0}
    (run,) = grade_all([folder], how)
    if not run.episodes:
        raise RunError(f"{folder}: there is no scored episode to review")
    reviews.begin(settings, [entry_of(episode, episode.agent) for episode in _drawn(run, **settings)])


def _drawn(run: Graded, sample: int, seed: int) -> Sequence[Episode]:
    """The sample, in the order in which strata have their turns, so that the first episodes of it are of many kinds."""
    return spread(run.episodes, sample, seed)
