"""`synthtools export`: a run's trajectories as training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import BadInput, Failed, Json, make_folder, print_json, print_line

if TYPE_CHECKING:
    from agents.dataset import Exported
    from synthtools.pack import Pack

_TAUGHT = "valid AND success AND split = 'train'"
"""Of a row: what a student is taught by."""
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run (it holds run.db and pack/).")]


def export(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="The folder to write; RUN/export if not given.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All trajectories, labelled, instead of the valid and successful ones of train.")] = False,
    as_json: Json = False,
) -> None:
    """Write conversations for TRL (train.jsonl, train.parquet) and OpenAI fine-tuning (openai.jsonl)."""
    folder, pack = out or run / "export", pack_of(run)
    if not trajectories(run, "TRUE" if everything else _TAUGHT):
        raise Failed(f"{run}: no trajectory is valid, successful and of the train split; --all exports every one, labelled")
    make_folder(folder)
    exported = write_export(run, pack, folder, everything=everything)
    if as_json:
        print_json({"out": str(folder), "rows": exported.rows, "files": dict(exported.files)})
    else:
        print_line(f"{exported.rows:,} trajectories in {folder}: {', '.join(exported.files)}")


def trajectories(run: Path, where: str = "TRUE") -> int:
    """How many trajectories a run holds, narrowed by SQL; Failed where there are none at all."""
    from agents.stored import Stored

    with Stored(run) as stored:
        ((count, narrowed),) = stored.table(f"SELECT COUNT(*), COUNT(*) FILTER (WHERE {where}) FROM trajectory")
    if not count:
        raise Failed(f"{run}: holds no trajectory yet; the command that made it goes on with it")
    return int(narrowed)


def write_export(run: Path, pack: Pack, folder: Path, *, everything: bool = False) -> Exported:
    """Export a run of this pack."""
    from agents.dataset import export as write
    from agents.stored import Stored

    with Stored(run) as stored:
        return write(stored, pack, folder, everything=everything)


def pack_of(run: Path, *, trust: bool = False) -> Pack:
    """The pack that lies in a run's folder."""
    from synthtools.pack import load_pack

    if not (run / "run.db").is_file():
        wrote = "`synthtools bench --out`, `rollout --out` or `run --out`"
        raise BadInput(f"{run}: no run here (there is no run.db); give the folder that {wrote} wrote")
    folder = run / "pack"
    if not folder.is_dir():
        raise BadInput(f"{folder}: the run's pack is gone, and without it there is nothing to say what agents were asked")
    return load_pack(folder, trust=trust)
