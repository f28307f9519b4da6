"""Words around a value that take it back or leave it open: `not 25`, `25 or more`, `before 19 June`."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Kind = Literal["amount", "day", "id"]

_THAN = r"(?:more|less|fewer|greater|higher|lower|larger|smaller|bigger|later|earlier|sooner|longer|shorter|older|newer|cheaper|other|rather) than"
_NEGATION = (
    r"(?:\bnot|n't|\bcannot|\bnever|\bno|\bnor|\bneither|\bnone of|\bwithout|\bexcept(?:ing| for)?|\bexcluding|\bbesides|\binstead of"
    rf"|\bunlike|\b(?:apart|aside|far|different) from|\b(?:anything|all|everything) but|\bunlikely|\bhardly|\bused to be|\b{_THAN})"
)
_BOUND = (
    rf"(?:\b(?:{_THAN}|at (?:least|most|the (?:latest|earliest))|over|under|above|below|beyond|within|exceeding"
    r"|(?<!adds )(?<!add )(?<!sums )(?<!comes )up to"
    r"|upwards of|(?:close|next) to|short of|near|nearly|almost|about|around|approximately|approx\.?|roughly|circa|ca\.?|a (?:minimum|maximum) of"
    r"|half|twice|double|triple|some(?:thing|where) (?:like|near|between)|between)|[~≈<>≤≥±]=?)"
)
_TIME = r"\b(?:before|after|since|until|till|prior to|following|preceding|week (?:of|beginning)|eve of|sometime in)"
_PLACE = r"\b(?:before|after|next to|beside|near|opposite|following|preceding)"
_FILLER = r"(?:\s+(?:a|an|the|on|in|at|of|to|be|been|it|is|was|about|exactly|quite|really|yet|equal|worth|number|day|date|id)\b)*"
_OPENING = r"[\s\"'`*(\[#€£$]*(?:(?:EUR|GBP|USD|CHF)\s*)?$"

_NEGATED = re.compile(rf"{_NEGATION}{_FILLER}(?:\s+[\w-]+)?{_OPENING}", re.IGNORECASE)
_NUMERO = re.compile(rf"\bno\.{_OPENING}", re.IGNORECASE)


def _open(words: str) -> re.Pattern[str]:
    """What stands right before a value and leaves it open."""
    return re.compile(rf"(?:{words})(?:\s+(?:a|an|the|about|of|on|exactly)\b)*{_OPENING}", re.IGNORECASE)


_OPEN: dict[Kind, re.Pattern[str]] = {"amount": _open(_BOUND), "day": _open(f"{_BOUND}|{_TIME}"), "id": _open(_PLACE)}
_SIZES = "more|less|fewer|greater|higher|lower|larger|smaller|bigger|above|below|over|under|beyond|later|earlier|sooner|longer|shorter"
_AFTER = re.compile(
    r"[\s\"'`*)\]€£$%]*(?:"
    r"(?:\s+(?!or\b|and\b)[\w()-]+){0,2},?\s*(?:"
    rf"\bor (?:(?:even|slightly|much|a bit|a little) )?(?:{_SIZES}|after|before|since|so|thereabouts)\b"
    r"|\bor (?:another|others?|something|similar|not|none|neither)\b"
    r"|\band (?:more|up|upwards?|over|above|beyond|later|higher|onwards?|counting|others?|so on)\b"
    r"|\bat (?:the )?(?:least|most|latest|earliest|minimum|maximum)\b|\bonwards?\b|\bupwards?\b|\bgive or take\b|\bamong others\b|\betc\b)"
    r"|\+|\.\.\.|\?\s*no\b|,?\s*\b(?:approximately|approx|roughly|too (?:many|much|few))\b"
    rf"|,?\s*\b(?:plus|minus|before|after|(?:{_SIZES}) than)\b(?!\s*(?:all|that)\b)"
    r"|\s*\b(?:is|was|are|were|would be|will be)(?:\s+not|n't)(?:\s*[.!]*$"
    r"|\s+(?:it|right|correct|true|what|among|the (?:answer|one|right|correct|number|amount|date|day|id))\b)"
    r"|\s*\b(?:is|was|are|would be)\s+(?:wrong|incorrect|false|excluded|ruled out|too \w+))",
    re.IGNORECASE,
)
_NEAR = 80
"""Characters on either side that are looked at."""
_SIGNS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "№": "#"})


def tidied(text: str) -> str:
    """A text with one form for each letter, apostrophe, hyphen and space."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS).split())


def is_hedged(text: str, start: int, end: int, kind: Kind) -> bool:
    """Whether what a (tidied) text says right before or after a value denies it, or names a bound and no value."""
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    if _OPEN[kind].search(before) or _AFTER.match(after):
        return True
    return bool(_NEGATED.search(before)) and not _NUMERO.search(before)
