"""The `synthtools` command: one module a command, nothing heavy imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import typer

from agents.cli import audit, catalog, export, generate, image, rollout, run, tasks, validate
from agents.cli.output import BadInput, Failed

_UsageError: type[BaseException] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="synthtools",
    help="Grow worlds of synthetic tools, prove tasks in them, let agents act, and keep what is true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS: Mapping[str, Callable[..., None]] = {
    "run": run.run,
    "catalog": catalog.catalog,
    "generate": generate.generate,
    "audit": audit.audit,
    "tasks": tasks.tasks,
    "rollout": rollout.rollout,
    "validate": validate.validate,
    "export": export.export,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(image.image, name="image")


def main() -> None:
    """The console script."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status: 0 done, 1 failed, 2 bad input."""
    try:
        status = typer.main.get_command(app).main(args=list(arguments), prog_name="synthtools", standalone_mode=False)
    except _UsageError as error:
        return _complain(
            f"{cast(typer.BadParameter, error).format_message()} (`synthtools --help` and `synthtools COMMAND --help` show what there is)",
            2,
        )
    except _user_errors() as error:
        return _complain(str(error), 2)
    except Failed as error:
        return _complain(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted; the same command goes on from here", 130)
    return status if isinstance(status, int) else 0


def _user_errors() -> tuple[type[Exception], ...]:
    """What a person mends; looked up only when something was raised, so that `--help` stays fast."""
    from agents.lock import Locked
    from agents.run import RunError
    from synthtools.backends import Untrusted
    from synthtools.blueprint import BlueprintError
    from synthtools.pack import PackError
    from synthtools.sandbox.engine import EngineError

    return (BadInput, BlueprintError, EngineError, Locked, PackError, RunError, Untrusted)


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"synthtools: {' '.join(message.split())}\n")
    return status
