"""`synthtools report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agents.cli.output import BadInput, Json, Trust, counted, print_json, print_line, progress, refuse_unwritable

Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `synthtools bench --out`, `rollout --out` or `run --out` wrote.")]
Against = Annotated[Path | None, typer.Option("--against", help="Another run of the same tasks, to hold it against.")]
Shown = Annotated[int | None, typer.Option("--trajectories", min=1, help="Episodes to show, at most; else all failures and some more.")]


def report(
    run: Folder,
    against: Against = None,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The file to write.")] = Path("report.html"),
    trajectories: Shown = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write a run's figures and episodes as one HTML file, to be opened in a browser; it needs no server and no network."""
    from agents.report.report import is_report, make_report
    from agents.report.sources import How
    from synthtools.replacing import replacing

    if not out.absolute().parent.is_dir():
        raise BadInput(f"--out {out}: there is no folder {out.parent}; make it, or give another place")
    if against is not None and against.resolve() == run.resolve():
        raise BadInput(f"--against {against}: is this very run; give another of the same tasks, or leave it out")
    refuse_unwritable(out, is_report)
    with progress("episodes") as update:
        made = make_report([run] if against is None else [run, against], trajectories, How(trust, update))
    with replacing(out.absolute()) as file:
        file.write(made.page)
    if as_json:
        print_json({"out": str(out), "bytes": len(made.page), "episodes": made.episodes, "shown": made.shown, "left_out": made.words, **made.figures})
        return
    agents, episodes = counted(len(made.figures["agents"]), "agent"), counted(made.episodes, "episode")
    print_line(f"{out}: {agents}, {episodes}, {len(made.page) / 1e6:.1f} MB. {made.words}")
