"""`synthtools image`: the image that containers of the docker backend start from."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from agents.cli.output import Json, print_json, print_line

image = typer.Typer(help="Make or show the runtime image of the docker backend.", no_args_is_help=True, rich_markup_mode=None)
Way = Annotated[Literal["interpreter", "debian"], typer.Option("--way", help="Where its Python comes from: this interpreter, or Debian's packages.")]


@image.command("build")
def build(
    way: Way = "interpreter",
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the file tree anew even if an image of the same inputs is there.")] = False,
    as_json: Json = False,
) -> None:
    """Make the image from what is on this machine; no registry is asked for anything."""
    from synthtools.sandbox.engine import Engine
    from synthtools.sandbox.image import runtime_image

    made = runtime_image(Engine(), way, fresh=fresh)
    if as_json:
        print_json({"id": made.id, "tag": made.tag, "content": made.content, "bytes": made.bytes, "built": made.built})
    else:
        print_line(f"{made.tag}  {made.bytes / 1e6:.0f} MB  {'built' if made.built else 'there already'}  {made.id}")


@image.command("check")
def check(as_json: Json = False) -> None:
    """Say whether the engine can run containers as they must be run, and what is weak about it."""
    from agents.cli.output import Failed
    from synthtools.sandbox.check import examine

    findings = examine()
    if as_json:
        print_json({"engine": findings.engine, "ok": findings.ok, "facts": dict(findings.facts), "weaknesses": list(findings.weaknesses)})
    else:
        print_line(findings.engine)
        for name, value in findings.facts.items():
            print_line(f"  {name}: {value}")
        for line in findings.weaknesses:
            print_line(f"  weak: {line}")
    if not findings.ok:
        raise Failed("a container did not start as it must be run")
