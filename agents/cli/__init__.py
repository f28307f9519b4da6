"""The `synthtools` command: one module a command, nothing heavy imported before a command needs it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, cast

import typer

from agents.cli import (
    audit,
    bench,
    catalog,
    evaluate,
    export,
    generate,
    image,
    regrade,
    report,
    review,
    rollout,
    run,
    serve,
    student,
    suite,
    tasks,
    train,
    validate,
)
from agents.cli.output import BadInput, Failed

_UsageError: type[BaseException] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130
_RESUMED = ("run", "rollout", "bench", "train")
"""The commands that go on where they were."""
_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EBUSY}
)
"""What a disk says when it is full, broken or closed to us."""

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
    "bench": bench.bench,
    "regrade": regrade.regrade,
    "report": report.report,
    "review": review.review,
    "evaluate": evaluate.evaluate,
    "serve": serve.serve,
}


def _print_version(wanted: bool) -> None:
    if wanted:
        from synthtools.pack import versions

        sys.stdout.write(f"synthtools {versions()['synthtools']}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    """Grow worlds of synthetic tools, prove tasks in them, let agents act, and keep what is true."""


for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(suite.suite, name="suite")
app.add_typer(image.image, name="image")
app.add_typer(train.train, name="train")
app.add_typer(student.student, name="student")


def main() -> None:
    """The console script."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status: 0 done, 1 failed, 2 bad input."""
    try:
        status = typer.main.get_command(app).main(args=list(arguments), prog_name="synthtools", standalone_mode=False)
    except _UsageError as error:
        return _misused(cast(typer.BadParameter, error))
    except _user_errors() as error:
        return _complain(str(error), 2)
    except Failed as error:
        return _complain(str(error), 1)
    except _disk_errors() as error:
        return _disk(error)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    if status == _INTERRUPTED:  # some versions of Typer answer Ctrl-C with this themselves
        return _complain("interrupted" + ("; the same command goes on from here" if arguments[0] in _RESUMED else ""), status)
    return status if isinstance(status, int) else 0


def _misused(error: typer.BadParameter) -> int:
    """Print the help of a command that was given nothing, or say what is wrong with what it was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(error.format_message() + "\n")
        return 0
    return _complain(f"{error.format_message()} (`synthtools --help` and `synthtools COMMAND --help` show what there is)", 2)


def _disk(error: Exception) -> int:
    """Say in one line what the disk did not do; any other error of the system is a fault to see whole."""
    if isinstance(error, OSError):
        if error.errno not in _DISK:
            raise error
        return _complain(f"{error.filename or 'the disk'}: {error.strerror}; nothing is left half-written, so make room or give another --out", 1)
    return _complain(f"run.db: {error}; what was stored before is safe, so make room and give the same command again", 1)


def _disk_errors() -> tuple[type[Exception], ...]:
    import apsw

    return (OSError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)


def _user_errors() -> tuple[type[Exception], ...]:
    """What a person mends; looked up only when something was raised, so that `--help` stays fast."""
    from agents.bench.suite import SuiteError
    from agents.choice import ChoiceError
    from agents.evaluation.evaluate import EvaluationError
    from agents.lock import Locked
    from agents.run import RunError
    from agents.students.curves import Diverged
    from agents.students.environment import ToolNameError
    from agents.students.fetch import FetchError
    from agents.students.format import FormatError
    from agents.students.model import ModelError
    from agents.students.recipe import RecipeError
    from agents.students.samples import DataError
    from synthtools.backends import Untrusted
    from synthtools.load import UnknownDomain
    from synthtools.pack import PackError
    from synthtools.sandbox.engine import EngineError
    from synthtools.source import BlueprintError
    from synthtools.toolkit.fault import ToolkitError

    return (
        BadInput,
        BlueprintError,
        ChoiceError,
        DataError,
        Diverged,
        EngineError,
        EvaluationError,
        FetchError,
        FormatError,
        Locked,
        ModelError,
        PackError,
        RecipeError,
        RunError,
        SuiteError,
        ToolkitError,
        ToolNameError,
        UnknownDomain,
        Untrusted,
    )


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"synthtools: {' '.join(message.split())}\n")
    return status
