"""The record of benchmarks/student.py for people: a table of every run in results/student.md, the learning curve in results/student.png."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASURES = {
    "valid_call": "valid calls",
    "right_tool": "right tool",
    "right_arguments": "right arguments, where the tool is right",
    "exact_call": "exact calls",
    "single_calls": "exact single calls",
    "irrelevance": "declines when it should",
    "episode_success": "episodes that succeed",
}
"""What a table of the evaluation holds → its words."""
DRAWN = ("right_tool", "exact_call", "single_calls", "episode_success")
BEFORE = "as it comes"
Runs = Mapping[str, Mapping[str, Any]]


def columns(runs: Runs) -> dict[str, Mapping[str, Any]]:
    """What was measured, under its name: the model as it comes first, then each run."""
    before = next((run["before"] for run in runs.values() if "before" in run), None)
    after = {name: run["after"] for name, run in runs.items() if "after" in run}
    return after if before is None else {BEFORE: before, **after}


def table(runs: Runs) -> str:
    """Markdown: a row a measure, then success by kind and by length; a column a run. Shares in per cent with their 95 % intervals."""
    found = columns(runs)
    lines = ["| % (95 % interval; of how many) | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    lines += [_row(words, [one[key] for one in found.values()]) for key, words in MEASURES.items()]
    for key, words in (("by_kind", "succeed: {}"), ("by_length", "succeed: {} calls")):
        for group in dict.fromkeys(group for one in found.values() for group in one[key]):
            lines.append(_row(words.format(group), [one[key].get(group, {}).get("episode_success") for one in found.values()]))
    trained = {name: run for name, run in runs.items() if "after" in run}
    notes = [
        f"- {name}: {run['data']['trajectories']:,} trajectories, {run['data']['tokens']:,} tokens"
        + (f", trained in {run['training_seconds'] / 60:.0f} minutes" if run["training_seconds"] else "")
        + f"; measured on {run['tasks']} tasks of {', '.join(run['fields']['held_out'])}, of the kinds {', '.join(run['kinds_of_tasks'])}"
        for name, run in trained.items()
    ]
    if played := runs.get("rollouts"):
        notes.append(
            f"- rollouts of {played['student']}, {played['batch']} tasks: {played['episodes_a_minute_batched']:.2f} episodes a minute at once,"
            f" {played['episodes_a_minute_alone']:.2f} one at a time, medians of {played['rounds']} rounds by turns"
        )
    return "\n".join(
        [*lines, "", "Intervals are by bootstrap, which gives one of no width where none or all succeed: of few, that says little.", "", *notes, ""]
    )


def _row(words: str, cells: list[Mapping[str, float] | None]) -> str:
    return f"| {words} | " + " | ".join(_share(cell) if cell and cell["n"] else "-" for cell in cells) + " |"


def _share(estimate: Mapping[str, float]) -> str:
    mean, low, high = (100 * estimate[key] for key in ("mean", "low", "high"))
    return f"{mean:.1f} ({low:.0f}-{high:.0f}; {estimate['n']:.0f})"


def _per_cent(share: float | None) -> float:
    return math.nan if share is None else 100 * share


def draw(runs: Runs, curve: tuple[str, ...], picture: Path) -> None:
    """The learning curve, from the model as it comes to the last of the runs in `curve`, with 95 % intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = columns(runs)
    points = [(0, found[BEFORE])] if BEFORE in found else []
    points += [(runs[name]["data"]["trajectories"], found[name]) for name in curve if name in found]
    tasks = ", ".join(f"{one['episode_success']['n']} at {trajectories:,}" for trajectories, one in points)
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for key in DRAWN:
        means, lows, highs = ([_per_cent(point[key][side]) for _, point in points] for side in ("mean", "low", "high"))
        along = [trajectories for trajectories, _ in points]
        (line,) = axes.plot(along, means, marker="o", label=MEASURES[key])
        axes.fill_between(along, lows, highs, alpha=0.15, color=line.get_color())
    axes.set(
        xlabel=f"trajectories trained on\n(tasks measured: {tasks})",
        ylabel="% on test fields",
        ylim=(0, 100),
        title="SmolLM2-135M on fields it never saw",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=120)
