"""What a scripted user takes for a request to do something themselves: an order or a plea, of its verb, about its object, and nothing less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from synthtools.hearing import stem

_HEAD = re.compile(
    r"(?:(?:so|and|then|but|therefore|next|first|now|ok|okay|thanks|again|also|to do that|for that)\s+)*"
    r"(?P<head>please|kindly|would you mind|(?:could|can|would|will) you|are you able to|i was wondering if you could|"
    r"(?:could|can|may|must|have to) i ask you to|i(?:'d| would| must| have to| will have to|'ll have to)? (?:ask|need|want|like) you to|"
    r"(?P<told>you(?:'ll| will)?(?: now| still| just)? (?:need to|have to|must|should)))\b",
    re.IGNORECASE,
)
"""How a clause begins that wants something done by who hears it; `told`: only where the sentence says that it is theirs to do."""
_BETWEEN = frozenset(
    "please kindly you now then also just first next yourself in on with via through from the your own account app portal sign-in login log sign "
    "go into to and open using use website online device side end be so kind as good enough able try would could there a an of self-service".split()
)
"""Words that may stand between the beginning of such a clause and its verb."""
_OWN = re.compile(r"\byourself\b|\byour (?:own|account|app|portal|side|end|device|sign-?in|login|phone|page)\b|\bonly you\b", re.IGNORECASE)
"""What says that it is theirs to do."""
_DO = frozenset("do make take handle perform carry complete process submit arrange".split())
_IT = frozenset("it this that so these them following step steps change action".split())
_PRONOUNS = frozenset("it this that them these those".split())
_TWO_WAYS = frozenset("confirm give note tell send state answer identify let have ask show check say record report".split())
"""Verbs by which one may also ask to be told something: here too the sentence must say that it is theirs to do."""
_PARTICLES = frozenset("in out off up down back over".split())
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE = re.compile(r"[,;:]\s+|\s[-–—]\s+|[–—]|\s+(?=(?:so|but|then)\b)|\s+(?=and please\b)", re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]+")
_PLEASE = re.compile(r"\bplease\b", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|‘[^’]*’|«[^»]*»')
_WORD = re.compile(r"[^\W_][\w#/'’-]*")
_REFUSED = re.compile(r"\b(?:nothing|never|not|don't|no longer)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Doing:
    """What a request to do something is known by."""

    verbs: tuple[str, ...]
    """Any of them, in any form; of two words, as `check in`, both, though others may stand between them."""
    objects: tuple[str, ...]
    """Any of them names what it is done to."""
    ids: tuple[str, ...] = ()
    """The numbers of what it is done to; another of their form is something else."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"verbs": list(self.verbs), "objects": list(self.objects), "ids": list(self.ids)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Doing:
        """From plain data. Raises KeyError for anything else."""
        return cls(tuple(record["verbs"]), tuple(record["objects"]), tuple(record["ids"]))


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause that wants something done by who hears it."""

    words: tuple[str, ...]
    wanted: tuple[str, ...]
    """Those from its verb on."""
    own: bool
    """Its sentence says that it is theirs to do."""


def bidden(text: str, doings: Sequence[Doing]) -> list[int]:
    """The numbers of what a text asks who hears it to do; what it quotes is not asked for."""
    return [number for number, doing in enumerate(doings) if _bids(text, doing)]


@lru_cache(maxsize=512)
def _bids(text: str, doing: Doing) -> bool:
    """Remembered, as a conversation is replayed from its beginning at every turn."""
    plain = _BLANKS.sub(" ", _QUOTED.sub(" … ", text.replace("’", "'")))
    words = _words(plain)
    named, told = bool(set(doing.ids) & set(words)), _told_of(words, doing)
    return any(_clause_bids(clause, doing, named=named, told=told) for sentence in _SENTENCE.split(plain) for clause in _clauses(sentence))


def _clauses(sentence: str) -> Iterator[_Clause]:
    """The clauses of a sentence that want something done by who hears it."""
    own, asks = bool(_OWN.search(sentence)), sentence.rstrip().endswith("?")
    pleads = own or _PLEASE.search(sentence) is not None
    for part in _CLAUSE.split(sentence):
        clause = part.strip(" -*•\t")
        head = _HEAD.match(clause)
        is_meant = pleads and not asks if head is None else own and not asks if head["told"] else True
        if not is_meant or _REFUSED.search(clause):
            continue
        words = _words(clause)
        wanted = words if head is None else _after(_words(clause[head.end() :]))
        if wanted:
            yield _Clause(tuple(words), tuple(wanted), own)


def _clause_bids(clause: _Clause, doing: Doing, *, named: bool, told: bool) -> bool:
    """Whether one clause asks for it, by its own verb, or by doing what the text names; `named`, `told`: what the whole text says of it."""
    verb, *rest = clause.wanted
    if _begins_with_one_of(clause.wanted, doing.verbs) and (clause.own or verb.lower() not in _TWO_WAYS) and rest[:1] not in (["me"], ["us"]):
        return (named or _names(rest, doing) or bool(_PRONOUNS & set(rest))) and _is_no_other(clause.words, doing)
    return told and verb in _DO and bool(_IT & set(rest[:3]))


def _after(words: list[str]) -> list[str]:
    """The words from the first that is not merely on the way to the verb."""
    start = next((number for number, word in enumerate(words) if word not in _BETWEEN), len(words))
    return words[start:]


def _told_of(words: Sequence[str], doing: Doing) -> bool:
    """Whether a text of these words speaks of it: names the verb and the object, and no other object of the kind alone."""
    named = any(_begins_with_one_of(words[number:], doing.verbs) for number in range(len(words)))
    return named and (_names(words, doing) or bool(set(doing.ids) & set(words))) and (bool(set(doing.ids) & set(words)) or _is_no_other(words, doing))


def _names(words: Sequence[str], doing: Doing) -> bool:
    return any(_is_one_of(word, doing.objects) for word in words) or bool(set(doing.ids) & set(words))


def _is_no_other(words: Sequence[str], doing: Doing) -> bool:
    """Whether every number of the form of its own ids is one of them."""
    forms = {_form(key) for key in doing.ids}
    return all(word in doing.ids for word in words if _form(word) in forms)


def _form(word: str) -> str:
    """Whatever has digits, by its form; other words have none."""
    return re.sub(r"\d", "0", word.upper()) if re.search(r"\d", word) else ""


def _is_one_of(word: str, others: Sequence[str]) -> bool:
    return bool(_stems(word) & {each for other in others for each in _stems(other)})


def _begins_with_one_of(words: Sequence[str], verbs: Sequence[str]) -> bool:
    """Whether words begin with a verb; the second word of one stands anywhere after it."""
    parted = (verb.partition(" ") for verb in verbs)
    return any(_is_one_of(words[0], (verb,)) and (not second or second in words[1:]) for verb, _, second in parted)


def _stems(word: str) -> set[str]:
    """Its stem, also with one letter of a double at its end: cancelling is cancel."""
    found = stem(word)
    return {found, found[:-1]} if len(found) > 3 and found[-1] == found[-2] else {found}


def _words(text: str) -> list[str]:
    """The words, small but for what has digits."""
    return [word if re.search(r"\d", word) else word.lower() for word in _WORD.findall(text)]
