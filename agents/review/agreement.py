"""How far reviewers accept what a run says, and agree with one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from agents.review.store import VERDICTS, Decision, Verdict

Table = Mapping[tuple[Verdict, Verdict], int]
"""(what the first holds, what the second holds) → episodes."""


def statistics(decisions: Sequence[Decision], sample: int) -> dict[str, Any]:
    """Each reviewer's counts, and every two reviewers over the episodes that both decided on; `disagreed_on` are places, from 0."""
    made: dict[str, dict[int, Verdict]] = {}
    for decision in decisions:
        made.setdefault(decision.reviewer, {})[decision.place] = decision.verdict
    return {
        "sample": sample,
        "decided": len({decision.place for decision in decisions}),
        "reviewers": {name: _counts(verdicts, sample) for name, verdicts in made.items()},
        "pairs": [_pair(one, two, made) for one, two in combinations(made, 2)],
    }


def _counts(verdicts: Mapping[int, Verdict], sample: int) -> dict[str, Any]:
    counts = Counter(verdicts.values())
    accepted, decided = counts["accept"], len(verdicts)
    return {"accepted": accepted, "rejected": counts["reject"], "left": sample - decided, "share_accepted": round(accepted / decided, 4)}


def _pair(one: str, two: str, made: Mapping[str, Mapping[int, Verdict]]) -> dict[str, Any]:
    both = sorted(made[one].keys() & made[two].keys())
    table: Table = Counter((made[one][place], made[two][place]) for place in both)
    return {
        "reviewers": [one, two],
        "both": len(both),
        "counts": {f"{a}_{b}": table.get((a, b), 0) for a in VERDICTS for b in VERDICTS},
        "agreed": round(sum(table.get((a, a), 0) for a in VERDICTS) / len(both), 4) if both else None,
        "kappa": kappa(table),
        "disagreed_on": [place for place in both if made[one][place] != made[two][place]],
    }


def kappa(table: Table) -> float | None:
    """Agreement beyond chance: 1 is all, 0 what chance gives (Cohen, 1960). None where chance alone agrees on everything, or there is nothing."""
    n = sum(table.values())
    if not n:
        return None
    seen = sum(table.get((verdict, verdict), 0) for verdict in VERDICTS) / n
    first = {a: sum(table.get((a, b), 0) for b in VERDICTS) for a in VERDICTS}
    second = {b: sum(table.get((a, b), 0) for a in VERDICTS) for b in VERDICTS}
    chance = sum(first[verdict] * second[verdict] for verdict in VERDICTS) / n**2
    return None if chance == 1 else round((seen - chance) / (1 - chance), 4)
