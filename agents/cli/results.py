"""The figures of a run, for scripts and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.cli.output import print_line, print_table, share

if TYPE_CHECKING:
    from agents.summary import Results


def results_json(figures: Results) -> dict[str, Any]:
    """The keys that scripts rely on."""
    return {
        "trajectories": figures.trajectories,
        "validated": figures.valid,
        "invalid": dict(figures.verdicts),
        "validated_successful": figures.successful,
        "success": figures.rates(),
        "success_by_kind": {agent: {kind: _rate(*counts) for kind, counts in kinds.items()} for agent, kinds in figures.kinds.items()},
        "reasons": {agent: dict(reasons) for agent, reasons in figures.reasons.items()},
        "failures": figures.failures,
    }


def print_results(figures: Results) -> None:
    """Success by agent and kind, and what was at fault."""
    kinds = sorted({kind for by_kind in figures.kinds.values() for kind in by_kind})
    rows = [
        [agent, f"{episodes:,}", share(won, episodes), *(share(*figures.kinds[agent].get(kind, (0, 0))) for kind in kinds)]
        for agent, (won, episodes) in figures.agents.items()
    ]
    print_table("Success by agent and kind", ("agent", "episodes", "all", *kinds), rows)
    faults = [[agent, reason, count] for agent, reasons in figures.reasons.items() for reason, count in reasons.items()]
    if faults:
        print_table("What was at fault", ("agent", "nearest fault", "episodes"), faults)
    print_line(
        f"{figures.trajectories:,} trajectories, {figures.valid:,} of them valid "
        "(replayed: every result, the net change and the reward equal), "
        f"{figures.successful:,} valid and successful."
    )
    if figures.verdicts:
        print_table("Not valid", ("reason", "trajectories"), list(figures.verdicts.items()))


def _rate(won: int, episodes: int) -> float:
    return round(won / episodes, 6)
