"""The curves of a training run: a line of JSON for each step, and their picture."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from synthtools.replacing import replacing

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""
LOG = "log.jsonl"


class Diverged(ValueError):
    """A training whose numbers are none any more; the message is one line for people."""


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut off by a kill is left out."""
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            break
    return rows


def keep_until(path: Path, step: int) -> None:
    """Drop the lines of steps after this one: a run that goes on from a checkpoint makes them again."""
    kept = [row for row in read_log(path) if row["step"] <= step]
    with replacing(path) as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in kept)


def log_callback(path: Path, progress: Progress | None = None, also: Callable[[], Mapping[str, float]] | None = None) -> Any:
    """A callback for trainers of transformers that writes what they log, a line a step, and tells how far they are.

    `also`: asked for more numbers at each line. Names with a slash, of which trainers have many, are kept but for rewards of single classes.
    Raises Diverged within the step whose loss or gradient is no number.
    """
    from transformers import TrainerCallback

    begun = time.monotonic()

    def on_train_begin(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        keep_until(path, state.global_step)

    def on_log(self: Any, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **rest: Any) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items() if _is_kept(name, value)}
        if "train_runtime" in numbers or not numbers:
            return
        lost = next((name for name in ("loss", "grad_norm") if not math.isfinite(numbers.get(name, 0.0))), None)
        if lost:
            raise Diverged(f"step {state.global_step}: {lost} is {numbers[lost]}; begin anew with a lower learning rate, in another folder")
        row = {"step": state.global_step, "seconds": round(time.monotonic() - begun, 2), **numbers, **(also() if also else {})}
        with path.open("ab") as file:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if progress is not None:
            progress(state.global_step, state.max_steps)

    return type("LogCallback", (cast(Any, TrainerCallback),), {"on_train_begin": on_train_begin, "on_log": on_log, "on_step_end": on_step_end})()


def _is_kept(name: str, value: object) -> bool:
    return isinstance(value, int | float) and not name.startswith("rewards/") and name != "epoch"


def smooth(values: Sequence[float], width: int) -> list[float]:
    """Running means over the last `width` values."""
    return [sum(values[max(0, end - width) : end]) / min(width, end) for end in range(1, len(values) + 1)]


def draw(log: Path, picture: Path, names: Sequence[str], title: str) -> None:
    """The curves of these numbers over the steps as a PNG, one above the other, each with its running mean. Names that no line has are left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_log(log)
    shown = [name for name in names if any(name in row for row in rows)]
    figure = Figure(figsize=(7, 2.4 * max(1, len(shown))), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10)
    for number, name in enumerate(shown, 1):
        steps, values = zip(*((row["step"], row[name]) for row in rows if name in row), strict=True)
        axes = figure.add_subplot(len(shown), 1, number)
        axes.plot(steps, values, color="0.75", linewidth=0.8)
        axes.plot(steps, smooth(values, max(1, len(values) // 10)), color="tab:blue", linewidth=1.6)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        if number == len(shown):
            axes.set_xlabel("step")
    with replacing(picture) as file:
        figure.savefig(file, format="png", dpi=110)
