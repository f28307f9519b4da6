"""JSON as models write it: what is plainly meant is read, what could mean two things is not.

Beyond JSON these are read: a comma before a closing bracket, strings in single quotes, Python's escapes and its True, False and None,
line breaks within strings, and one missing bracket at the very end.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

DEEPEST = 100
"""Levels of brackets that are read where the text is not JSON to the letter."""
WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_SPACE = re.compile(r"\s*")
_STRING = re.compile(r""""([^"\\]*+(?:\\.[^"\\]*+)*+)"|'([^'\\]*+(?:\\.[^'\\]*+)*+)'""", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?([eE][+-]?\d++)?(?![\w.])", re.ASCII)
_WORD = re.compile(r"[^\W\d][\w.-]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|([\"'\\/bfnrt])|)")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_OVER = re.compile(r"</tool_call>|<\|/tool_call\|>|<\|tool_call_end\|>|</function>|```")
"""What says that the text before it is complete."""


def read_value(text: str, at: int = 0) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends; of repeated keys the last counts. Raises ValueError if it cannot be read."""
    try:
        return _JSON.raw_decode(text, at)
    except (ValueError, RecursionError):
        loose = Loose(text, at)
        return loose.value(), loose.at


def plain_value(text: str) -> Any:
    """What stands between tags that quote nothing.

    JSON numbers, lists and objects, and true, false and null in JSON's or Python's spelling, are what they say. All else is text as it
    stands, also text in quotes or with a leading zero: without the tool's schema nobody can know more.
    """
    word = text.strip()
    if word in WORDS:
        return WORDS[word]
    if word[:1] not in tuple("{[-0123456789"):
        return text
    try:
        return _JSON.decode(word)
    except (ValueError, RecursionError):
        return text


class Loose:
    """A place in a text that moves on as things are read; every method raises ValueError where they do not stand."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.missing = False
        """Whether the one bracket that may be missing was."""

    def take(self, mark: str) -> bool:
        """Move beyond spaces and this mark, if it comes next."""
        self.at = skip_space(self.text, self.at)
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) * found
        return found

    def need(self, mark: str) -> None:
        """Move beyond a mark that must come next."""
        if not self.take(mark):
            raise ValueError(f"no {mark!r} at {self.at}")

    def word(self) -> str:
        """A name."""
        return self._match(_WORD)[0]

    def value(self, depth: int = 0) -> Any:
        """An object, a list, a string, a number or one of the words."""
        if depth > DEEPEST:
            raise ValueError("too deep")
        if self.take("{"):
            return self._object(depth)
        if self.take("["):
            return self._list(depth)
        return self._scalar()

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.take("}"):
            key = self._string()
            self.need(":")
            found[key] = self.value(depth + 1)
            if not self.take(","):
                self._close("}")
                break
        return found

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not self.take("]"):
            found.append(self.value(depth + 1))
            if not self.take(","):
                self._close("]")
                break
        return found

    def _close(self, mark: str) -> None:
        if self.take(mark):
            return
        over = _OVER.match(self.text, self.at) or (self.at == len(self.text) and self.text.rstrip().endswith(("}", "]")))
        if self.missing or not over:
            raise ValueError(f"no {mark!r} at {self.at}")
        self.missing = True

    def _scalar(self) -> Any:
        if self.text.startswith(('"', "'"), self.at):
            return self._string()
        if self.text.startswith(tuple("-0123456789"), self.at):
            number = self._match(_NUMBER)
            return _finite(number[0]) if number[1] or number[2] else int(number[0])
        word = self.word()
        if word not in WORDS:
            raise ValueError(f"{word[:80]!r} is no value")
        return WORDS[word]

    def _string(self) -> str:
        found = self._match(_STRING)
        inner: str = found[found.lastindex or 1]
        if "\\" not in inner:
            return inner
        return _ESCAPE.sub(_unescape, inner).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        self.at = skip_space(self.text, self.at)
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"unreadable at {self.at}")
        self.at = found.end()
        return found


def skip_space(text: str, at: int) -> int:
    """Where the next thing stands."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _unescape(escape: re.Match[str]) -> str:
    if letter := escape[4]:
        return _LETTERS.get(letter, letter)
    digits = escape[1] or escape[2] or escape[3]
    if not digits or int(digits, 16) > sys.maxunicode:
        raise ValueError("an escape of no known meaning")
    return chr(int(digits, 16))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:80]} is no number")
    return number


_JSON = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_finite)
