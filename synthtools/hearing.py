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
    "number": r"\b(?:how many|how much|how long|how big|"
    r"(?<![a-z] )numbers?(?! of)|(?:what|which|the|a|as|for|exact) numbers?(?! of)|figures?|counts?|quantity|amount)\b",
    "money": r"\b(?:how much|amounts?|prices?|sums?|costs?|figures?)\b",
    "phone": r"\b(?:phone|telephone|mobile|(?:what|which|the|a|your|their|his|her|new|contact|other) number(?! of))\b",
    "email": r"\b(?:e-?mails?|mail|address)\b",
    "name": r"\b(?:names?|called|who)\b",
    "text": r"\b(?:texts?|words?|wording|values?)\b",
}
"""Sort of value → what asks for one of its sort, where no fact of the sort is named."""

_ASKS = re.compile(
    r"\b(?:please|tell|need|needs|needed|give|provide|let me know|specify|share|state|send|confirm|clarify|missing|lack|require|required|"
    r"which|what|when|who|whose|how|could you|can you|would you|once i (?:have|know)|"
    r"(?:haven't|have not|didn't|did not) (?:\w+ )?(?:told|tell|said|say|given?))\b",
    re.IGNORECASE,
)
_PATIENCE = re.compile(
    r"\b(?:one|a|just a) (?:moment|second|minute)\b|"
    r"\b(?:wait|hold on|bear with|while i|let me (?:just )?(?:check|look|find|see|search))\b",
    re.IGNORECASE,
)
"""What asks for nothing but time, in a sentence without a question mark."""
_VERB = r"(?:is|are|was|were|be|do|does|did|has|have|had|should|shall|would|will|can|could|may|must|it|you|i|we|they|to)"
_WHICH = re.compile(
    rf"\b((?:which|what)\s+(?:(?!{_VERB}\b)[\w'-]+\s+){{1,4}}?)(?={_VERB}\b)(?:(?!\b(?:and|or|which|what|how|when|who)\b)[^?.!;:,\n])*", re.IGNORECASE
)
"""A question for a thing that it names first, up to its next part."""
_ALL = re.compile(r"\b(?:details?|information|missing|everything|particulars|specifics|be more specific|specify|more about)\b", re.IGNORECASE)
"""What asks for whatever there is to know."""
_CONFIRMS = re.compile(
    r"\b(?:confirm(?:ation|s|ed)?|go(?:es)?[- ]ahead|go on|proceed|continue|(?:shall|should) (?:i|we)|(?:may|can) (?:i|we)|"
    r"do you (?:still |really )?(?:want|wish)|would you (?:still )?like|want (?:me|us) to|yes or no|(?:a|say|type|reply|answer)(?: with)? [\"']?yes|"
    r"you (?:say so|agree|approve)|approv\w+|authori[sz]e|permission|consent|agree\w*|are you (?:sure|certain|happy))\b",
    re.IGNORECASE,
)
"""What a sentence says that asks whether to go ahead."""
_FINE = re.compile(
    r"\b(?:okay|ok|all right|alright|right|correct|fine|sound good|look good|what you want|objections?|does (?:that|this|it) sound)\b", re.IGNORECASE
)
"""What asks for a yes to something said before."""
_WAITS = re.compile(
    r"\?|\b(?:please|let me know|say|reply|type|answer|need|needs|require|wait\w*|await\w*|once you|if you|before i|until you)\b", re.IGNORECASE
)
_THANKS = re.compile(r"\bthank(?:s| you)\b", re.IGNORECASE)
_MORE = re.compile(
    r"\b(?:any ?thing|something|what) (?:else|more|further)\b|\bhelp\b|\b(?:is|was) (?:that|this) (?:all(?! right)|everything)\b", re.IGNORECASE
)
"""What offers more."""
_ELSEWHERE = re.compile(
    r"\b(?:(?:may|can|could|shall|should) (?:i|we)|(?:me|us) to) (?:please |just |first |also )*"
    r"(?:ask|know|get your|look|search|find out|see|use|speak|call|have (?!your (?:permission|approval|go-ahead|consent|confirmation|agreement|ok)))"
    r"|\byour (?:full |own |first |last |current )*(?:name|e-?mail|phone|telephone|mobile|number|address|date|birth\w*|details?|identity)\b"
    r"|\b(?:confirm|tell me|say|know) (?:which|what|who|whose|where|when|how)\b"
    r"|\b(?:can|could|would|will) you (?:please |kindly )*(?:tell|describe|send|provide|share|specify|explain|hold|clarify|spell|"
    r"give (?!me (?:a|your) (?:yes|go-ahead|ok|okay|permission|approval|confirmation|consent)))"
    r"|\b(?:proceed|continue|go on) (?:to (?:look|search|check)|without)\b",
    re.IGNORECASE,
)
"""What asks for something else than a yes to what is about to be done."""
_OPEN = re.compile(r"\b(?:what|when|which|who|whose|where|how|why)\b", re.IGNORECASE)
_CLOSES = re.compile(
    r"\b(?:anything else|something else|anything more|all done|is done|are done|completed?|finished|successfully|glad|you're welcome|"
    r"have been|has been|have now|goodbye|bye)\b|\bdone\s*[.!]",
    re.IGNORECASE,
)
_NAMES = re.compile(r"[^\W_]{4,}|[^\W_]*\d[^\W_]*")
_EVERYDAY = frozenset(
    "about again ahead also anything been before being busy call cheers colleague confirm could dear does doing done else favour from going good "
    "great have hello here into just kind know like many need next once only onto over please quick ready really regards right "
    "shall should some sorry sure team than thank thanks that them "
    "then there they thing things this today want what when which will with would your yours".split()
)
"""Words of four letters and more that tell no request from another."""
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
    sentences = _sentences(text)
    for number, sentence in enumerate(sentences):
        if "?" in sentence or (_ASKS.search(sentence) and not _PATIENCE.search(sentence)):
            return " ".join(sentences[number:])
    return ""


def topics_in(question: str, topics: Sequence[Topic]) -> list[int]:
    """The numbers of the topics that a question is about.

    They are those that it names; of each sort of which it names none, those that it asks for by their sort; and where there are none of
    these either, all if it asks for whatever there is.
    """
    if not question or not topics:
        return []
    question = _WHICH.sub(lambda found: found.group(1) if _named(found.group(1), topics) else found.group(), question)
    named = _named(question, topics)
    sorts = {topics[number].sort for number in named}
    low = question.lower()
    by_sort = {
        number
        for number, topic in enumerate(topics)
        if topic.sort not in sorts and not (named and topic.sort == "text") and re.search(SORTS[topic.sort], low)
    }
    return sorted(named | by_sort) or (list(range(len(topics))) if _ALL.search(question) else [])


def _named(text: str, topics: Sequence[Topic]) -> set[int]:
    """The numbers of the topics of which a word stands in a text."""
    stems = {stem(word) for word in re.findall(r"[^\W_]+", text)}
    return {number for number, topic in enumerate(topics) if any(stem(word) in stems for word in topic.words)}


def confirms(text: str) -> bool:
    """Whether a text asks for a yes or no; an offer of more help does not."""
    return any(map(_confirming, _sentences(text)))


def goes_ahead(heard: Sequence[str], goal: str) -> bool:
    """Whether the last of these texts asks if one may go ahead with what is wanted; something of that must have been named, now or before.

    A question that only could be answered by yes or no must name it itself.
    """
    wanted = named_in(goal)
    named = not wanted or bool(wanted & named_in(" ".join(heard)))
    asking = [s for s in _sentences(heard[-1]) if _confirming(s) and not _ELSEWHERE.search(s)]
    return any(named if _CONFIRMS.search(s) or _FINE.search(s) else not wanted or wanted & named_in(s) for s in asking)


def named_in(text: str) -> frozenset[str]:
    """What a text names: its words without their commonest endings, but for those that every request has."""
    return frozenset(stem(word) for word in _NAMES.findall(text) if word.lower() not in _EVERYDAY)


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]


def _confirming(sentence: str) -> bool:
    """Whether a sentence asks for a yes or no."""
    if _MORE.search(sentence) or (_THANKS.search(sentence) and "?" not in sentence):
        return False
    if _CONFIRMS.search(sentence) and _WAITS.search(sentence):
        return True
    if "?" not in sentence:
        return bool(_FINE.search(sentence) and _WAITS.search(sentence))
    return bool(_FINE.search(sentence)) or not _OPEN.search(sentence)


def closes(text: str) -> bool:
    """Whether a text says that all is done, or asks whether there is more to do."""
    return bool(_CLOSES.search(text))
