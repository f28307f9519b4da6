"""Write the rows that SkyRL trains on, one a task: `python examples/skyrl_rows.py runs/first/pack train rows.jsonl`.

In the trainer's own process, before it makes environments:

    skyrl_gym.register(id="synthtools", entry_point="agents.adapters.skyrl:ToolTextEnv")
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from agents.adapters.skyrl import rows


def main() -> None:
    """Source, split and file, in this order."""
    source, split, file = sys.argv[1:]
    place = str(Path(source).resolve()) if Path(source).is_dir() else source  # a trainer may stand in another folder
    Path(file).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows(place, split)))


if __name__ == "__main__":
    main()
