"""A pack of one domain and a few tasks, made once in a test process, and its scripts: what is heard in this process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from adapters.script import Script, scripts
from agents.cli.generate import make_pack
from synthtools.pack import load_pack

TASKS = 8


@lru_cache(maxsize=1)
def little_pack() -> Path:
    """Its folder."""
    folder = Path(tempfile.mkdtemp(prefix="synthtools-little-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_pack(folder / "pack", ["marina_berths"], TASKS, 3, 1)
    return folder / "pack"


@lru_cache(maxsize=1)
def played() -> tuple[Script, ...]:
    """For each kind in it: one episode that succeeds after mistakes, and one that ends in vain."""
    return tuple(scripts(load_pack(little_pack())))
