"""The surface of a domain's compiled tools: real APIs differ in names, paging, errors and result style, so ours do."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import orjson

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Surface:
    """How a domain's API looks. Drawn from a seed, and re-drawn to randomise a domain for training."""

    search: str = "search"
    """Verb of the listing tools."""
    get: str = "get"
    create: str = "create"
    update: str = "update"
    verb_first: bool = True
    """`get_stay`, or `stay_get`."""
    paging: str = "page"
    """`page`, `offset` or `cursor`."""
    page_size: int = 20
    envelope: str = "items"
    """Key of a listed result; empty: the bare list."""
    error: str = "flat"
    """`flat`, `nested` or `ok`."""
    money: str = "number"
    """Amounts in results: `number` (62.5) or `text` ("62.50")."""

    def tool_name(self, verb: str, noun: str) -> str:
        """The shown name of an everyday tool."""
        return f"{verb}_{noun}" if self.verb_first else f"{noun}_{verb}"

    def error_content(self, code: str, message: str, details: Mapping[str, Any] = _NOTHING) -> str:
        """An error as JSON text; `details` stand beside its message."""
        body: dict[str, Any] = {"error": code, "message": message, **details}
        if self.error == "nested":
            body = {"error": {"code": code, "message": message, **details}}
        elif self.error == "ok":
            body = {"ok": False, **body}
        return orjson.dumps(body).decode()

    def detail_path(self, name: str) -> tuple[str, ...]:
        """Where a detail stands in an error."""
        return ("error", name) if self.error == "nested" else (name,)

    def text(self) -> str:
        """A canonical description, for digests."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


def draw_surface(name: str, seed: int = 0) -> Surface:
    """The surface of a domain for a seed; the same for the same name and seed on any machine."""
    rng = random.Random(int.from_bytes(hashlib.sha256(f"surface/{name}/{seed}".encode()).digest()[:8], "big"))
    return Surface(
        search=rng.choice(["search", "list", "find"]),
        get=rng.choice(["get", "show", "fetch", "read"]),
        create=rng.choice(["create", "add", "new"]),
        update=rng.choice(["update", "edit", "change"]),
        verb_first=rng.random() < 0.8,
        paging=rng.choice(["page", "offset", "cursor"]),
        page_size=rng.choice([10, 20, 25]),
        envelope=rng.choice(["items", "results", "data", ""]),
        error=rng.choice(["flat", "nested", "ok"]),
        money=rng.choice(["number", "number", "text"]),
    )
