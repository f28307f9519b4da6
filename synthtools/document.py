"""YAML read strictly: no aliases, no depths, no sizes and no numbers that a reader would not expect."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
_LARGEST = 2**63 - 1


class DocumentError(ValueError):
    """Text that is not the YAML we take: at which line, what and how to mend it."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def read_text(path: Path) -> str:
    """The text of a file. Raises DocumentError for one that cannot be read, or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(1, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise DocumentError(line, f"cannot be read: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None


def document(text: str) -> Any:
    """The root node of a YAML text. Raises DocumentError."""
    if len(text) > MAX_BYTES:
        raise DocumentError(1, f"longer than {MAX_BYTES:,} characters; leave out what is generated, or split it")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse(text, loader)
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DocumentError(mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', error)}") from None


def _refuse(text: str, loader: Any) -> None:
    """Refuse aliases, which can make a short text endless, and nesting that no blueprint has."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise DocumentError(line, f"the alias *{event.anchor} is not taken; write out what it stands for")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise DocumentError(line, f"nested more than {MAX_DEPTH} deep; write it flatter")


def scalar(node: Any) -> Any:
    """A scalar: a number, true, false, null, or the text itself. Raises DocumentError for a number too large."""
    text = str(node.value)
    if node.style:
        return text
    value: int | float
    if re.fullmatch(r"-?(0|[1-9]\d*)", text, re.ASCII):
        value = int(text[:40])
        if len(text) > 40 or not -_LARGEST - 1 <= value <= _LARGEST:
            raise DocumentError(node.start_mark.line + 1, f"{text[:40]} does not fit into 64 bits; give a smaller number")
        return value
    if re.fullmatch(r"-?\d+\.\d+", text, re.ASCII):
        value = float(text)
        if not math.isfinite(value):
            raise DocumentError(node.start_mark.line + 1, f"{text[:40]}… is too large; give a smaller number")
        return value
    return {"true": True, "false": False, "null": None, "~": None, "": None}.get(text, text)
