"""`synthtools export`: a run's trajectories as training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import BadInput, Json, print_json, print_line

if TYPE_CHECKING:
    from agents.dataset import Exported

RunFolder = Annotated[Path, typer.Argument(help="The folder of a run (it holds run.db and pack/).")]


def export(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="The folder to write; RUN/export if not given.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All trajectories, labelled, instead of the valid and successful ones of train.")] = False,
    as_json: Json = False,
) -> None:
    """Write conversations for TRL (train.jsonl, train.parquet) and OpenAI fine-tuning (openai.jsonl)."""
    folder = out or run / "export"
    exported = write_export(run, folder, everything=everything)
    if as_json:
        print_json({"out": str(folder), "rows": exported.rows, "files": dict(exported.files)})
        return
    print_line(f"{exported.rows:,} trajectories in {folder}: {', '.join(exported.files)}")


def write_export(run: Path, folder: Path, *, everything: bool = False) -> Exported:
    """Export with the pack that lies in the run's folder."""
    from agents.dataset import export as write
    from agents.run import Stored
    from synthtools.pack import load_pack

    with Stored(run) as stored:
        pack = run / "pack"
        if not pack.is_dir():
            raise BadInput(f"{pack}: the run's pack is gone, and without it there is nothing to say what agents were asked")
        return write(stored, load_pack(pack), folder, everything=everything)
