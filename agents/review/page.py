"""The reviewers' page: the report's way of telling an episode, with what is needed to decide on it."""

from __future__ import annotations

import html
from pathlib import Path

import orjson

from agents.report.page import PARTS as SHARED
from agents.report.page import embedded, fill, policy
from agents.review.desk import Desk

PARTS = Path(__file__).parent / "page"


def review_page(desk: Desk, token: str) -> bytes:
    """HTML that asks its own server for episodes, and no other."""
    script = _read(SHARED, "story.js") + _read(PARTS, "review.js")
    marks = [{"agent": entry["agent"], "task": entry["task"], "success": entry["success"]} for entry in desk.entries]
    parts = {
        "title": html.escape(desk.title),
        "policy": f"{policy(script)}; connect-src 'self'",
        "style": _read(SHARED, "page.css") + _read(PARTS, "review.css"),
        "script": script,
        "data": embedded(orjson.dumps({"title": desk.title, "token": token, "identity": desk.identity, "sample": marks})),
    }
    return fill(_read(PARTS, "review.html"), parts).encode()


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
