"""What a scripted user makes of what it hears: which facts a question is about, by their words, and whether it asks for a yes or no."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Sort = Literal["row", "day", "number", "money", "phone", "email", "name", "text"]
SORTS: Mapping[str, str] = {
    "row": r"which (?:one|ones|of)\b|\bwhich\s*\?|\bwhat one\b",
    "day": r"\b(?:when|dates?|days?|times?|until|how long)\b",
    "number": r"\b(?:how many|how much|how long|how big|numbers?|figures?|counts?|quantity|amount)\b",
    "money": r"\b(?:how much|amounts?|prices?|sums?|costs?|figures?)\b",
    "phone": r"\b(?:phone|telephone|mobile|number)\b",
    "email": r"\b(?:e-?mails?|mail|address)\b",
    "name": r"\b(?:names?|called|who)\b",
    "text": r"\b(?:texts?|words?|wording|values?)\b",
}
"""Sort of value → what asks for one of its sort, where no fact of the sort is named."""

_ASKS = re.compile(
    r"\b(?:please|tell|need|needs|needed|give|provide|let me know|specify|share|state|send|confirm|clarify|missing|lack|require|required|"
    r"which|what|when|who|whose|how|could you|can you|would you)\b",
    re.IGNORECASE,
)
_ALL = re.compile(r"\b(?:details?|information|missing|everything|particulars|specifics|be more specific|specify)\b", re.IGNORECASE)
"""What asks for whatever there is to know."""
_CONFIRMS = re.compile(
    r"\b(?:confirm\w*|go ahead|proceed|shall i|should i|shall we|should we|may i|do you want|do you really|would you like|yes or no|approv\w+|"
    r"permission|consent|agree\w*)\b",
    re.IGNORECASE,
)
_FINE = re.compile(r"\b(?:okay|ok|all right|alright|right|correct|fine|sure|want me)\b", re.IGNORECASE)
"""What asks for a yes in a sentence that asks for something."""
_OPEN = re.compile(r"\b(?:what|when|which|who|whose|where|how|why)\b", re.IGNORECASE)
_CLOSES = re.compile(
    r"\b(?:anything else|something else|anything more|all done|is done|are done|completed?|finished|successfully|glad|you're welcome|"
    r"have been|has been|have now|goodbye|bye)\b|\bdone\s*[.!]",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDINGS = ("ings", "ing", "als", "al", "ures", "ure", "ed", "es", "e", "s")


@dataclass(frozen=True, slots=True)
class Topic:
    """What a question about a fact is known by."""

    sort: Sort
    words: tuple[str, ...]
    """Any of them names it."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"sort": self.sort, "words": list(self.words)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Topic:
        """From plain data. Raises ValueError or KeyError for anything else."""
        if record["sort"] not in SORTS:
            raise ValueError(f"there is no sort {record['sort']!r} of facts: {', '.join(SORTS)}")
        return cls(record["sort"], tuple(record["words"]))


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest endings: arrives, arriving and arrival are one."""
    low = word.lower()
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    return next((low[: -len(ending)] for ending in _ENDINGS if low.endswith(ending) and len(low) - len(ending) > 2), low)


def questions(text: str) -> str:
    """What a text asks: from the first sentence on that asks something; empty where none does."""
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    for number, sentence in enumerate(sentences):
        if sentence.rstrip().endswith("?") or "?" in sentence or _ASKS.search(sentence):
            return " ".join(sentences[number:])
    return ""


def topics_in(question: str, topics: Sequence[Topic]) -> list[int]:
    """The numbers of the topics that a question is about.

    They are those that it names; of each sort of which it names none, those that it asks for by their sort; and where there are none of
    these either, all if it asks for whatever there is.
    """
    if not question or not topics:
        return []
    stems = {stem(word) for word in re.findall(r"[^\W_]+", question)}
    named = {number for number, topic in enumerate(topics) if any(stem(word) in stems for word in topic.words)}
    sorts = {topics[number].sort for number in named}
    low = question.lower()
    by_sort = {
        number
        for number, topic in enumerate(topics)
        if topic.sort not in sorts and not (named and topic.sort == "text") and re.search(SORTS[topic.sort], low)
    }
    return sorted(named | by_sort) or (list(range(len(topics))) if _ALL.search(question) else [])


def confirms(text: str) -> bool:
    """Whether a text asks for a yes or no; an offer of more help does not."""
    if _CLOSES.search(text) and not re.search(r"\b(?:shall|should|may) (?:i|we)\b|confirm|go ahead|proceed", text, re.IGNORECASE):
        return False
    asking = [sentence for sentence in _SENTENCE.split(text) if "?" in sentence]
    plain = any(not _OPEN.search(sentence) and not re.search(r"\bhelp\b", sentence, re.IGNORECASE) for sentence in asking)
    return plain or bool(_CONFIRMS.search(text)) or bool(_FINE.search(questions(text)))


def closes(text: str) -> bool:
    """Whether a text says that all is done, or asks whether there is more to do."""
    return bool(_CLOSES.search(text))
