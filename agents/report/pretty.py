"""JSON as people read it: numbers as they were written, over as few lines as are read with ease."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 170


def readable(text: str) -> str:
    """JSON text laid out; other text as it is."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def pretty(value: Any, indent: str = "", width: int = WIDTH) -> str:
    """A value on one line where it fits, else an entry a line."""
    line = flat(value)
    if not isinstance(value, dict | list) or len(indent) + len(line) <= width:
        return line
    inner = f"{indent}  "
    if isinstance(value, list):
        entries, brackets = [pretty(entry, inner, width) for entry in value], "[]"
    else:
        entries, brackets = [f"{flat(key)}: {pretty(entry, inner, width)}" for key, entry in value.items()], "{}"
    lines = f",\n{inner}".join(entries)
    return f"{brackets[0]}\n{inner}{lines}\n{indent}{brackets[1]}"


def flat(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, ensure_ascii=False)
