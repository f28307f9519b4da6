"""`synthtools validate`: replay a run's stored trajectories in fresh worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.export import RunFolder
from agents.cli.output import Failed, Json, print_json, print_line, print_table, progress

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from agents.revalidate import Revalidated


def validate(run: RunFolder, as_json: Json = False) -> None:
    """Replay every stored trajectory: each result, the net change and the reward must come out equal."""
