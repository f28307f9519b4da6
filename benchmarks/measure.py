"""What the benchmarks share: naming the machine, printing and recording results, and the peer's executor."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from synthtools.pack import versions

RESULTS = Path(__file__).parent / "results"
PEER = Path(os.environ.get("BFCL_PYTHON", Path(__file__).parent / ".bfcl" / "bin" / "python"))
"""The interpreter of a virtual environment that holds the package bfcl-eval (`make bfcl`)."""


def machine(*packages: str) -> dict[str, Any]:
    """The machine and the versions that a figure belongs to, with those of these packages."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    others = {name: version(name) for name in packages}
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version(), **versions(), **others}


def emit(name: str, result: dict[str, Any], *, as_json: bool, record: bool) -> None:
    """Print a result, as one JSON object or a line a figure; and keep it beside the script when asked."""
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}
    if record:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_bytes(orjson.dumps(rounded, option=orjson.OPT_INDENT_2) + b"\n")
    if as_json:
        print(orjson.dumps(rounded).decode())
        return
    for key, value in rounded.items():
        print(f"{key:24} {value}")


def bfcl_calls_per_second() -> tuple[float, float] | None:
    """Keyed reads and single writes a second of BFCL's multi-turn executor in its own interpreter, or None without it."""
    if not PEER.exists():
        return None
    script = Path(__file__).parent / "bfcl_peer.py"
    done = subprocess.run([str(PEER), str(script)], capture_output=True, text=True, check=True, timeout=300)
    read, write = orjson.loads(done.stdout.splitlines()[-1])
    return read, write
