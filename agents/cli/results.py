"""The figures of a run, for scripts and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.cli.output import print_line, print_part, print_table, share
from agents.cli.reasons import FAULTS

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
    if not figures.trajectories:
        print_line("No trajectories.")
        return
    kinds = sorted({kind for by_kind in figures.kinds.values() for kind in by_kind})
    rows = [[kind, *(share(*by_kind.get(kind, (0, 0))) for by_kind in figures.kinds.values())] for kind in kinds]
    rows.append(["all", *(share(*counts) for counts in figures.agents.values())])
    print_table("Success by kind and agent", ("kind", *figures.agents), rows)
    faults = sorted({reason for reasons in figures.reasons.values() for reason in reasons})
    if faults:
        counts = [[FAULTS.get(fault, fault), *(figures.reasons.get(agent, {}).get(fault, 0) for agent in figures.agents)] for fault in faults]
        print_table("What was at fault where it failed", ("the agent", *figures.agents), counts)
    print_line(
        f"{figures.trajectories:,} trajectories, {figures.valid:,} of them valid "
        "(replayed: every result, the net change and the reward equal), "
        f"{figures.successful:,} valid and successful."
    )
    if figures.verdicts:
        print_table("Not valid", ("reason", "trajectories"), list(figures.verdicts.items()))


def print_agents(figures: Results) -> None:
    """A line an agent: how often it succeeded, and what it mostly did wrong."""
    for number, (name, (won, episodes)) in enumerate(figures.agents.items()):
        faults = figures.reasons.get(name, {})
        worst = max(faults, key=faults.__getitem__, default="")
        wrong = f"  mostly {FAULTS.get(worst, worst)}" if worst else ""
        print_part("" if number else "Agents", f"{name:<12} {share(won, episodes):>7}{wrong}")


def _rate(won: int, episodes: int) -> float:
    return round(won / episodes, 6)
