"""One HTML file out of parts and data: nothing in it can end a script, start one, or ask another machine for anything."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

PARTS = Path(__file__).parent / "page"
LARGE = 2_000_000
"""Bytes of stories above which each is compressed."""


def page(title: str, data: Mapping[str, Any], stories: Sequence[Mapping[str, Any]]) -> bytes:
    """The report as a file of its own."""
    texts = [orjson.dumps(story) for story in stories]
    packed = sum(map(len, texts)) > LARGE
    kept = orjson.dumps([base64.b64encode(gzip.compress(text, mtime=0)).decode() for text in texts]) if packed else b"[" + b",".join(texts) + b"]"
    script, style = read("story.js") + read("report.js"), read("page.css")
    parts = {
        "title": html.escape(title),
        "policy": policy(script),
        "style": style,
        "script": script,
        "data": embedded(orjson.dumps({**data, "packed": packed})),
        "stories": embedded(kept),
    }
    return fill(read("report.html"), parts).encode()


def read(name: str) -> str:
    """A part of a page."""
    return (PARTS / name).read_text(encoding="utf-8")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template with `[[name]]` replaced, once each; what is filled in is not looked at again."""
    pieces = template.split("[[")
    return pieces[0] + "".join(parts[name] + rest for name, _, rest in (piece.partition("]]") for piece in pieces[1:]))


def embedded(text: bytes) -> str:
    """JSON that may stand inside a script element: no `<` is left that could end it or open a comment."""
    return text.decode().replace("<", "\\u003c")


def policy(script: str) -> str:
    """What the browser is to hold the page to: this script and no other, and no connection to anywhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
