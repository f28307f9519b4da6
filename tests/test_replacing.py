"""Files replaced whole, and nothing left of processes that are gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthtools.replacing import new_part, replacing


def test_the_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """A block that fails changes nothing and leaves nothing."""
    path = tmp_path / "file"
    with replacing(path) as file:
        file.write(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_do_not_share_a_part(tmp_path: Path) -> None:
    """Another process that replaces the same file meanwhile is not disturbed, nor does it disturb."""
    path = tmp_path / "file"
    other = f"from pathlib import Path; from synthtools.replacing import replacing\nwith replacing(Path({str(path)!r})) as f: f.write(b'other')"
    with replacing(path) as file:
        file.write(b"mine")
        subprocess.run([sys.executable, "-c", other], check=True)
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"mine"


def test_parts_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    """Files and folders; those of processes that live, and of other paths, stay."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f".pack.{gone.pid}.part" / "domains").mkdir(parents=True)
    (tmp_path / f".pack.{os.getpid()}.part").write_text("mine, from before")
    stay = [tmp_path / f".pack.{os.getppid()}.part", tmp_path / f".other.{gone.pid}.part", tmp_path / ".pack.part"]
    for path in stay:
        path.write_text("")
    assert new_part(tmp_path / "pack") == tmp_path / f".pack.{os.getpid()}.part"
    assert sorted(tmp_path.iterdir()) == sorted(stay)
