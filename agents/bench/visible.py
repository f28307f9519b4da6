"""Where an agent could have seen a value: in the request, in a result, or nowhere that it looked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from agents.bench.evidence import Evidence, Made
from synthtools.task import STATED, refs
from synthtools.user import RESPOND


def where_visible(value: Any, evidence: Evidence, before: int, source: Any = None) -> str:
    """Where a value stood before the call of a number, as the end of a sentence; where it was never seen, what shows it to the reference.

    `source`: the argument as the solution has it.
    """
    if isinstance(value, list | tuple) and not any(shows(made, value) for made in evidence.calls[:before]):
        sources = source if isinstance(source, list | tuple) and len(source) == len(value) else [source] * len(value)
        places = [where_visible(entry, evidence, before, each) for entry, each in zip(value, sources, strict=True)]
        return ", and ".join(dict.fromkeys(places)) or "it has nothing in it"
    said = how_said(value, evidence)
    if said is not None:
        return f"it stood in the request ({said!r})" if said else "it stood in the request"
    for made in evidence.calls[:before]:
        if shows(made, value) or _told(made, value, evidence):
            return f"it stood in result {made.number} ({made.name})"
    if evidence.task.user is not None and _words_for(value, evidence):
        return "it was never seen, and the user tells who asks"
    found = [evidence.reference.calls[ref.step] for ref in refs(source)]
    return f"it was never seen, and {found[0].name} shows it" if found else "it was never seen"


def how_said(value: Any, evidence: Evidence) -> str | None:
    """The request's words for a value, empty where a whole sentence means it; None where it says none."""
    said = evidence.task.said.get(orjson.dumps(value).decode())
    request = evidence.task.request
    if said == STATED:
        return ""
    for text in (said, str(value)):
        if text and _stands(text, request):
            return text
    return None


def _words_for(value: Any, evidence: Evidence) -> str:
    """How the user says a value that only the user knows; empty where that is not so."""
    said = evidence.task.said.get(orjson.dumps(value).decode(), "")
    user = evidence.task.user
    return said if said and user is not None and any(_stands(said, fact.said) for fact in user.facts) else ""


def _told(made: Made, value: Any, evidence: Evidence) -> bool:
    said = _words_for(value, evidence) if made.name == RESPOND.name else ""
    return bool(said) and any(_stands(said, str(cell)) for cell in scalars(orjson.loads(made.result.content)))


def _stands(text: str, words: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(text)}(?!\w)", words, re.IGNORECASE) is not None


def shows(made: Made, value: Any) -> bool:
    """Whether a call's result holds a value: all of a list."""
    if isinstance(value, list | tuple):
        return bool(value) and all(shows(made, entry) for entry in value)
    cells = scalars(orjson.loads(made.result.content))
    if made.name == RESPOND.name:
        return any(_stands(str(value), str(cell)) for cell in cells)
    return any(same_scalar(value, cell) for cell in cells)


def same_scalar(one: Any, other: Any) -> bool:
    """Whether two cells are one value, also where an amount is text."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) or isinstance(other, int | float):
        return _number(one) is not None and _number(one) == _number(other)
    return bool(one == other)


def _number(value: Any) -> float | None:
    try:
        return round(float(value), 6)
    except (TypeError, ValueError):
        return None


def scalars(value: Any) -> Iterator[Any]:
    """Every cell of a JSON value."""
    if isinstance(value, dict):
        for entry in value.values():
            yield from scalars(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from scalars(entry)
    else:
        yield value


def shown_before(calls: Sequence[Made], number: int) -> set[str]:
    """Every cell of the results before a call, and every word of what the user said, as text in capitals."""
    shown = set()
    for made in calls[:number]:
        cells = [str(cell).upper() for cell in scalars(orjson.loads(made.result.content))]
        shown |= {word for cell in cells for word in re.findall(r"[\w#/-]+", cell)} if made.name == RESPOND.name else set(cells)
    return shown
