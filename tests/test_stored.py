"""Reading a run: what is there, wherever it lies, or one line that says why not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from agents.review.store import Reviews
from agents.run import Run, RunError
from agents.stored import Stored
from test_run import AGENTS, SETTINGS, row

NOBODY = 65534


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that others may look into, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """What the modes of files forbid is forbidden to root as well, who is nobody meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing here may be written, nor anything beside it."""
    for each in (*folder.rglob("*"), folder):
        each.chmod(0o555 if each.is_dir() else 0o444)
    with without_rights():
        yield


def test_a_run_is_read_where_nothing_may_be_written(shelf: Path) -> None:
    """From a share that is read-only: the rows, without a file beside run.db; and reviews are refused for what it is."""
    with Run(shelf, SETTINGS, AGENTS) as run:
        run.add([row(0), row(1)])
    before = sorted(shelf.iterdir())
    with read_only(shelf):
        with Stored(shelf) as stored:
            assert list(stored.rows()) == [row(0), row(1)]
            assert stored.settings == SETTINGS
        with pytest.raises(RunError, match="nothing can be written here, where reviews are kept"):
            Reviews(shelf)
    assert sorted(shelf.iterdir()) == before


def test_what_a_journal_still_holds_is_not_passed_over(shelf: Path) -> None:
    """A copy of a run in the middle of its writing is not read as if it were whole."""
    with Run(shelf / "run", SETTINGS, AGENTS) as run:
        run.add([row(0)])
        run.commit()
        shutil.copytree(shelf / "run", shelf / "copy")
    (shelf / "copy" / "run.db-shm").unlink()
    with read_only(shelf / "copy"), pytest.raises(RunError, match="part of the run is in run.db-wal; copy the folder"):
        Stored(shelf / "copy")


def test_what_may_not_be_read_is_told_as_that(shelf: Path) -> None:
    """It is not said to be no run."""
    Run(shelf, SETTINGS, AGENTS).close()
    (shelf / "run.db").chmod(0)
    with without_rights(), pytest.raises(RunError, match="see that you may read it"):
        Stored(shelf)


def test_a_run_that_has_only_begun_is_told_as_that(tmp_path: Path) -> None:
    """Between the making of its file and of its tables."""
    apsw.Connection(str(tmp_path / "run.db")).close()
    (tmp_path / "run.db").touch()
    with pytest.raises(RunError, match="has only begun"):
        Stored(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """There is no run.db, and the message says which folder is wanted."""
    with pytest.raises(RunError, match="no run here"):
        Stored(tmp_path)
    (tmp_path / "run.db").write_text("this is no database" * 100)
    with pytest.raises(RunError, match="is not a run's database"):
        Stored(tmp_path)
