"""`synthtools regrade`: the grade of a stored run, without asking its agents again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agents.cli.grade import print_grade
from agents.cli.output import Json, Trust, print_json, progress


def regrade(
    run: Annotated[Path, typer.Argument(help="The folder that `synthtools bench --out`, `rollout --out` or `run --out` wrote.")],
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Carry every stored episode out again and grade the agents; what they did is not done anew."""
    data = grade(run, trust=trust)
    if as_json:
        print_json(data)
    else:
        print_grade(data)


def grade(run: Path, *, trust: bool) -> dict[str, Any]:
    """The grade of a run's folder, with progress."""
    from agents.bench.grade import graded

    with progress("grading") as update:
        return graded(run, trust=trust, progress=update).as_json()
