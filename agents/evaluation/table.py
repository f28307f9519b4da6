"""The table of an evaluation: how often each thing is right, by kind and length too, and the commonest failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.evaluation.interval import Counts, Estimate, difference, estimate
from agents.evaluation.probe import Probed

METRICS = ("valid_call", "right_tool", "right_arguments", "exact_call", "irrelevance", "episode_success")
"""In the order of tables."""
MOST = 10
"""Failures that are listed."""
_EXAMPLES = 2

Counted = Callable[[Probed], tuple[int, int]]


def _points(right: str, among: str = "") -> Counted:
    def counted(probed: Probed) -> tuple[int, int]:
        taken = [point for point in probed.points if not among or getattr(point, among)]
        return sum(getattr(point, right) for point in taken), len(taken)

    return counted


def _declined(probed: Probed) -> tuple[int, int]:
    return (0, 0) if probed.outcome == "done" else (int(probed.episode.declined), 1)


_COUNTED: Mapping[str, Counted] = {
    "valid_call": _points("valid"),
    "right_tool": _points("tool"),
    "right_arguments": _points("exact", among="tool"),
    "exact_call": _points("exact"),
    "irrelevance": _declined,
    "episode_success": lambda probed: (int(probed.episode.success), 1),
}


def counts(metric: str, probes: Iterable[Probed]) -> Counts:
    """For each task, how many were right of how many."""
    return [_COUNTED[metric](probed) for probed in probes]


def table(probes: Sequence[Probed]) -> dict[str, Estimate]:
    """Metric → its estimate."""
    return {metric: estimate(counts(metric, probes)) for metric in METRICS}


def gains(before: Sequence[Probed], after: Sequence[Probed]) -> dict[str, Estimate]:
    """Metric → how much larger it is after, over the tasks that both hold."""
    earlier = {probed.task: probed for probed in before}
    both = [(earlier[probed.task], probed) for probed in after if probed.task in earlier]
    sides = [one for one, _ in both], [other for _, other in both]
    return {metric: difference(counts(metric, sides[0]), counts(metric, sides[1])) for metric in METRICS}


def band(length: int) -> str:
    """How long a task is, in words: the calls of its reference before `finish`."""
    return "1" if length <= 1 else "2-3" if length <= 3 else "4-5" if length <= 5 else "6+"


def grouped(probes: Sequence[Probed], key: Callable[[Probed], str]) -> dict[str, dict[str, Estimate]]:
    """Group → exact calls and success in it."""
    names = sorted({key(probed) for probed in probes})
    parts = {name: [probed for probed in probes if key(probed) == name] for name in names}
    return {name: {metric: estimate(counts(metric, part)) for metric in ("exact_call", "episode_success")} for name, part in parts.items()}


def single_calls(probes: Sequence[Probed]) -> Estimate:
    """Exact calls among the first decisions of tasks of one call."""
    return estimate([(int(probed.points[0].exact), 1) for probed in probes if probed.length == 1])


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of mistake, how often it was made, and where."""

    fault: str
    count: int
    examples: tuple[Mapping[str, str], ...]


def failures(probes: Sequence[Probed]) -> list[Failure]:
    """The commonest mistakes at decisions, with examples of different tasks."""
    found = [(point.fault, probed, point) for probed in probes for point in probed.points if point.fault]
    listed = []
    for fault, count in Counter(fault for fault, _, _ in found).most_common(MOST):
        examples: dict[str, Mapping[str, str]] = {}
        for other, probed, point in found:
            if other == fault and len(examples) < _EXAMPLES:
                examples.setdefault(probed.task, {"task": probed.task, "request": probed.request, "wanted": point.wanted, "did": point.did})
        listed.append(Failure(fault, count, tuple(examples.values())))
    return listed


def ends(probes: Iterable[Probed]) -> dict[str, int]:
    """Why episodes failed → how many, the commonest first."""
    return dict(Counter(probed.episode.reason for probed in probes if not probed.episode.success).most_common())
