"""English number: words for one and for several, and words that agree with a count of one."""

from __future__ import annotations

import re
from collections.abc import Mapping

_IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child"}
_NO_PLURALS = frozenset("as is was has does its his this thus less plus minus across yes always perhaps gas bus series lens news".split())
_BETWEEN = frozenset("a an and as at but by for from if in into of on onto or over per so than that the then to under until when who with".split())
"""Words behind which what is counted no longer stands."""
_REACH = 4


def plural_of(noun: str) -> str:
    """An English noun for several; what is of something is counted by its head."""
    head, of, rest = noun.partition(" of ")
    if of:
        return plural_of(head) + of + rest
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def is_plural(word: str) -> bool:
    """Whether a word is a noun for several, going by its ending."""
    return word in _IRREGULAR or (word.endswith("s") and not word.endswith("ss") and word not in _NO_PLURALS)


def singular_of(noun: str) -> str:
    """The noun for one of what is said in the plural."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("xes", "ches", "shes", "sses")) else noun[:-1]


def agreeing(template: str, slot: str) -> str:
    """A template in which what the slot counts is said for one: `{nights} more nights` becomes `{nights} more night`."""
    found = re.search(rf"\{{{re.escape(slot)}(\?[^}}]*)?\}} ?", template)
    if found is None:
        return template
    head, words = template[: found.end()], template[found.end() :].split(" ")
    for index, word in enumerate(words[:_REACH]):
        noun = word.rstrip(",.;:?!)")
        if noun in _BETWEEN:
            break
        if noun.isalpha() and is_plural(noun):
            words[index] = singular_of(noun) + word[len(noun) :]
            break
        if word != noun:
            break
    return head + " ".join(words)


def agreeing_with_ones(template: str, counts: Mapping[str, object]) -> str:
    """A template that agrees with every slot whose value is one."""
    for slot, value in counts.items():
        if value == 1 and not isinstance(value, bool):
            template = agreeing(template, slot)
    return template
