"""`synthtools review`: people look at a sample of a run, in a browser on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.output import BadInput, Json, Trust, counted, print_json, print_line, print_table, progress, share
from agents.cli.signals import signals

if TYPE_CHECKING:
    from agents.review.desk import Desk

Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `synthtools bench --out`, `rollout --out` or `run --out` wrote.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Where the page is, on this machine alone; 0: any free one.")]
Sample = Annotated[int | None, typer.Option("--sample", min=1, help="Episodes, over agents, kinds, outcomes and causes; 50 at first, then kept.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The sample is drawn from it.")]
Summary = Annotated[
    bool,
    typer.Option("--summary", help="Say how far reviewers agree, and serve nothing; --json does so too, and counts places from 0, the page from 1."),
]


def review(
    run: Folder,
    port: Port = 8765,
    sample: Sample = None,
    seed: Seed = None,
    summary: Summary = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Serve a page where people accept or reject what a run says of its episodes; decisions are kept in reviews.db beside run.db."""
    from agents.report.sources import How
    from agents.review.desk import Asked, Desk, stored_summary

    if as_json or summary:
        _refuse_drawing("--json" if as_json else "--summary", sample, seed)
        data = stored_summary(run)
        if as_json:
            print_json(data)
        else:
            print_summary(data)
        return
    with progress("grading") as update:
        desk = Desk(run, Asked(sample, seed), How(trust, update))
    with desk:
        _serve(desk, port)


def _refuse_drawing(option: str, sample: int | None, seed: int | None) -> None:
    for name, value in (("--sample", sample), ("--seed", seed)):
        if value is not None:
            raise BadInput(f"{name} does not go together with {option}, which is of the sample that was drawn when the review began; leave it out")


def _serve(desk: Desk, port: int) -> None:
    """Until somebody presses Ctrl-C, or SIGTERM comes."""
    from agents.review.server import ReviewServer

    try:
        server = ReviewServer(desk, port)
    except OSError as error:
        raise BadInput(f"--port {port}: cannot be used ({error.strerror}); give another, or 0 for any that is free") from None
    with server, signals() as ended:
        thread = Thread(target=server.serve_forever, name="review", daemon=True)
        thread.start()
        try:
            held = counted(len(desk.entries), "episode")
            print_line(f"{held} to review at {server.url} - Ctrl-C ends it; decisions are kept in {desk.reviews.path}")
            typer.get_text_stream("stdout").flush()
            ended.wait()
        finally:
            server.shutdown()
            thread.join()
        print_line(f"Stopped; {counted(len(desk.reviews.decisions()), 'decision')} so far. The same command goes on.")


def print_summary(data: Mapping[str, Any]) -> None:
    """Who accepted how much, and every two reviewers over what both decided on."""
    rows = [(name, one["accepted"], one["rejected"], one["left"]) for name, one in data["reviewers"].items()]
    print_table(f"{data['decided']} of {counted(data['sample'], 'episode')} decided", ("reviewer", "accepted", "rejected", "left"), rows)
    for pair in data["pairs"]:
        both, counts = pair["both"], pair["counts"]
        agreed = share(counts["accept_accept"] + counts["reject_reject"], both)
        kappa = "-" if pair["kappa"] is None else f"{pair['kappa']:.2f}"
        print_line(f"{' and '.join(pair['reviewers'])}: agreed on {agreed} of {both}, Cohen's kappa {kappa}")
