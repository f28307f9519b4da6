"""What commands print: one JSON object or tables on stdout, progress and complaints on stderr."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Everything that is drawn comes from it.")]
Trust = Annotated[bool, typer.Option("--trust", help="Run a toolkit's Python in this process, and not in a container.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0: one for each core. The results do not depend on it.")]
Backend = Annotated[
    Literal["local", "docker"] | None,
    typer.Option("--backend", help="Where tools run: in this process or in a container; by default local, but docker for untrusted toolkits."),
]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="The folder to write.")]


EVERY = 10.0
"""Seconds between two lines of progress where stderr is no terminal."""


_HEAD = 16_384
"""Bytes by which a file of ours is known."""


class BadInput(ValueError):
    """What was asked cannot be done with what was given; the message names the mend."""


class Failed(Exception):
    """What was asked was tried and did not come out well."""


def refuse_without(*packages: str, extra: str) -> None:
    """BadInput where the packages of an extra are not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(f'this needs packages that are not here ({", ".join(missing)}): pip install "synthtools[{extra}]"')


def make_folder(out: Path) -> None:
    """Make the folder that `--out` names; BadInput where nothing can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        _try(out)
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written ({error.strerror}); give a folder in a place that is yours and has room") from None


def refuse_unwritable(out: Path, is_ours: Callable[[bytes], bool]) -> None:
    """BadInput where the file that `--out` names cannot be written, or is there already and does not begin as what we write."""
    try:
        _try(out.absolute().parent)
        begins = out.read_bytes()[:_HEAD] if out.is_file() else b""
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written ({error.strerror}); give a file in a place that is yours and has room") from None
    if (out.exists() and not out.is_file()) or (begins and not is_ours(begins)):
        raise BadInput(f"--out {out}: is there already, and is none that this command wrote; remove it, or give another --out")


def _try(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")


def program() -> str:
    """This command, as it can be typed here."""
    return sys.argv[0] if Path(sys.argv[0]).name == "synthtools" and shutil.which("synthtools") is None else "synthtools"


def print_json(data: Mapping[str, Any]) -> None:
    """One object on one line."""
    import orjson

    sys.stdout.write(orjson.dumps(data).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people; columns after the first are aligned right where they hold numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(_is_number(row[number]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    Console().print(table)


def print_line(text: str) -> None:
    """A line for people."""
    sys.stdout.write(text + "\n")


def print_part(label: str, text: str, indent: int = 12) -> None:
    """A label and a paragraph beside it, as wide as the terminal but no wider than is read with ease."""
    width = min(100, shutil.get_terminal_size().columns)
    body = textwrap.wrap(text, max(20, width - indent), break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(body):
        print_line(f"{label if number == 0 else '':<{indent}}{line}")


def counted(count: int, noun: str) -> str:
    """`1 domain`, `2 domains`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A percentage for people; a dash when there is nothing to divide by."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on stderr; the block calls it with (done, in all). It starts no thread, so that processes may fork."""
    if sys.stderr.isatty():
        with _bar(label) as update:
            yield update
    else:
        yield _plain(label)


def _plain(label: str) -> Callable[[int, int], None]:
    """A line every `EVERY` seconds, for logs; and one at the end of what took longer. What is done at the first call tells nothing of the pace."""
    begun = told = time.monotonic()
    first: tuple[int, float] | None = None

    def update(done: int, total: int) -> None:
        nonlocal first, told
        now = time.monotonic()
        first = first or (done, now)
        if now - told >= EVERY or (done == total and told > begun):
            sys.stderr.write(f"{label}: {done:,} of {total:,} after {now - begun:.0f} s{pace(done - first[0], total - done, now - first[1])}\n")
            told = now

    return update


def rate(done: int, seconds: float) -> str:
    """So many a second, or of slow work so many seconds each."""
    return f"{done / seconds:,.1f}/s" if done >= seconds else f"{seconds / done:,.1f} s each"


def pace(done: int, left: int, seconds: float) -> str:
    """How fast it goes and how long it takes yet, to be said after the rest; nothing where nothing was done."""
    if done <= 0 or seconds <= 0:
        return ""
    more = left * seconds / done
    return f", {rate(done, seconds)}" + (f", {more / 60:,.0f} min left" if more >= 90 else f", {more:.0f} s left" if left else "")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    last, first = 0.0, -1
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task(label, total=None, rate="")

        def update(done: int, total: int) -> None:
            nonlocal first, last
            first = done if first < 0 else first
            elapsed = bar.tasks[0].elapsed
            bar.update(task, completed=done, total=total, rate=rate(done - first, elapsed) if elapsed and done > first else "")
            if time.monotonic() - last > 0.1 or done == total:
                bar.refresh()
                last = time.monotonic()

        yield update


def worker_count(workers: int) -> int:
    """The number of processes that `--workers` asks for."""
    return workers or len(os.sched_getaffinity(0))


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and cell[:1].isdigit()) or cell == "-"
