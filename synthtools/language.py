"""How people say things: values in words, and requests around what is asked."""

from __future__ import annotations

import datetime
import random
import re
from dataclasses import dataclass
from typing import Any

from synthtools.domain import Domain

OPEN, CLOSE = "\x01", "\x02"
"""Around every value in a request, until it is finished; they make its skeleton."""

_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_MONTHS = "January February March April May June July August September October November December".split()


@dataclass(frozen=True, slots=True)
class Manner:
    """A way of asking: templates for a command, a whole sentence, a question, and what goes around them."""

    commands: tuple[str, ...]
    questions: tuple[str, ...]
    openings: tuple[str, ...]
    closings: tuple[str, ...]
    lower: bool = False
    joins: tuple[str, ...] = ("{A}. Then {b}.", "{A}, and then {b}.", "Two things: {a}, and {b}.", "{A}. Also, {b}.", "First {a}. After that, {b}.")


MANNERS = (
    Manner(
        ("{C}.", "Please {c}.", "{C}, please.", "I need you to {c}.", "We need to {c}."),
        ("{Q}?", "One question: {q}?", "{Q}? Just the answer, please."),
        ("", "", "", "Hello, ", "Good morning. ", "Hi. "),
        ("", "", "", " Thank you.", " Thanks."),
    ),
    Manner(
        ("Could you {c}?", "Could you please {c}?", "Would you please {c}?", "Can I ask you to {c}?", "Would you be so kind as to {c}?"),
        ("May I ask: {q}?", "I wanted to ask: {q}?", "A question, if I may: {q}?", "Could you look something up for me: {q}?"),
        ("", "Good afternoon. ", "Hello! ", "Hi there, ", "Sorry to bother you. "),
        ("", " Many thanks!", " Thank you very much.", " I'd appreciate it.", " Thanks in advance."),
        joins=(
            "Could you {a}? And then {b}, please.",
            "Could you {a}, and also {b}?",
            "Would you {a}? Once that is done, {b}.",
            "Two small requests: {a}, then {b}.",
        ),
    ),
    Manner(
        ("can you {c}?", "{c} please", "need you to {c}", "pls {c}", "{c}, quick as you can"),
        ("{q}?", "quick one: {q}?", "question: {q}?", "any idea: {q}?"),
        ("", "", "hi, ", "hey ", "morning, "),
        ("", "", " thx", " cheers", " ta"),
        lower=True,
        joins=("{a}, then {b}", "{a} and after that {b}", "two things: {a}; {b}", "{a}. also {b}", "1) {a} 2) {b}"),
    ),
    Manner(
        ("{C}.", "Kindly {c}.", "We would ask you to {c}.", "It is necessary to {c}.", "As agreed, {c}."),
        ("For our records: {q}?", "For the file: {q}?", "Please state: {q}?", "The auditors want to know: {q}?"),
        ("Dear colleague, ", "Dear team, ", "To whom it may concern, ", ""),
        (" Kind regards.", " With thanks.", " Regards.", ""),
        joins=("{A}. Thereafter, {b}.", "We have two matters. {A}. Secondly, {b}.", "{A}; subsequently, {b}.", "Kindly {a}, and then {b}."),
    ),
    Manner(
        (
            "Quick favour: {c}.",
            "When you get a minute, {c}.",
            "Right, next one: {c}.",
            "Just had a call. {C}, would you?",
            "Right then: {c}.",
            "So, {c}.",
        ),
        ("Somebody is asking: {q}?", "I have them on the phone: {q}?", "Before I forget: {q}?", "Just so I know: {q}?", "Remind me: {q}?"),
        ("", "Hi again! ", "Me again. ", "Hey! ", "Morning! "),
        ("", " Cheers!", " You're a star.", " That's all.", " Ta!"),
        joins=("Couple of things. {A}, and {b}.", "{A}, would you? And while you're at it, {b}.", "Busy day: {a}. Next, {b}.", "{A}. Oh, and {b}."),
    ),
)

FALLBACKS = (
    "If that can't be done, give me the {noun} number instead so that I can take it up myself.",
    "Should that not be possible, just tell me the number of the {noun} and I'll ring the office.",
    "If it doesn't work out, I want the {noun} number for my notes.",
    "And if you can't or mustn't, send me the {noun} number, I'll sort it out another way.",
    "In case there's a problem with it: what I need then is the {noun} number.",
    "If not, the number of that {noun} will do for now.",
    "If for some reason that won't go, answer with the {noun} number only.",
    "Otherwise leave it and tell me which number the {noun} has.",
    "No luck? Then the {noun} number, please.",
    "If it's a no, reply with the {noun} number so I can pass it on.",
)

LOOK_UPS = ("{C}.", "Please {c}.", "Could you {c}?", "{C}, would you?", "Can you {c}?")
"""For what is a question, but asked as a command."""


def mark(text: str) -> str:
    """A value's words, marked as such."""
    return f"{OPEN}{text}{CLOSE}"


def finished(marked: str) -> str:
    """A request without marks, tidied; "a" is "an" before a value that begins with a vowel."""
    text = re.sub(rf"\b([Aa]) (?={OPEN}+(?:[aeio]|u(?!n[ai]|s)))", r"\1n ", marked, flags=re.IGNORECASE)
    text = re.sub(rf"[{OPEN}{CLOSE}]", "", text)
    return re.sub(r"\s+([.,;?!])", r"\1", re.sub(r"[ \t]+", " ", text)).strip()


def skeleton(marked: str) -> str:
    """A request with its values masked."""
    masked = re.sub(rf"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "_", marked)
    while OPEN in masked:
        masked, before = re.sub(rf"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "_", masked), masked
        if masked == before:
            break
    return re.sub(r"\s+", " ", masked).strip()


def say(domain: Domain, value: Any, kind: str, rng: random.Random) -> str:
    """A value in words. `kind` is a field's kind, or a format: date, datetime, money, choice, state, bool, or text."""
    if kind == "money":
        return _amount(domain, value, rng)
    if kind == "date":
        return say_date(str(value), domain.today, rng)
    if kind in ("datetime", "stamp", "date-time"):
        day, _, clock = str(value).partition("T")
        return f"{say_date(day, domain.today, rng)}{rng.choice((' at ', ', ', ' '))}{clock}"
    if kind in ("choice", "state", "enum") and isinstance(value, str):
        words = domain.blueprint.words.get(value)
        return rng.choice(words) if words else value.replace("_", " ")
    if kind == "bool" or isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "text":
        return f"{rng.choice(chr(34) * 2)}{value}{chr(34)}"
    if isinstance(value, list):
        parts = [str(v) for v in value]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return str(value)


def _amount(domain: Domain, value: Any, rng: random.Random) -> str:
    number = f"{value:.2f}"
    symbol = _SYMBOLS.get(domain.blueprint.currency, "")
    forms = [number, f"{number} {domain.blueprint.currency}"]
    if symbol and value >= 0:
        forms += [f"{symbol}{number}", f"{symbol}{number}"]
    if number.endswith(".00"):
        forms += [number[:-3], f"{symbol}{number[:-3]}" if symbol and value >= 0 else number[:-3]]
    return rng.choice(forms)


def say_date(value: str, today: str, rng: random.Random) -> str:
    """A day as people say it; the year is left out only where it is this one."""
    day, now = datetime.date.fromisoformat(value), datetime.date.fromisoformat(today)
    month = _MONTHS[day.month - 1]
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    forms = [value, f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}"]
    if day.year == now.year:
        forms = [
            value,
            f"{day.day} {month}",
            f"{day.day} {month}",
            f"{month} {day.day}",
            f"the {day.day}{ending} of {month}",
            f"{day.day} {month[:3]}",
        ]
        if abs((day - now).days) < 100:
            forms.append(f"{day.strftime('%A')}, {day.day} {month}")
    return rng.choice(forms)


_NOT_VERBS = frozenset(
    "a an the this that these those it its they there nobody somebody someone i i'm i've "
    "i'll i'd they're it's that's there's we're who's we we've you he she my our their his her "
    "no what when where which who whose how why if once after before as from for in on at with just now sorry could can would please "
    "whichever whatever whoever everything everyone everybody all any both each another one two three some most every only also and or but so "
    "don't never let's new first is are was were am does did has had will shall should may might must "
    "what's whom whose until since by of up between above below under within seen".split()
)


def is_clause(phrase: str) -> bool:
    """Whether a phrase is an imperative clause, to be wrapped, rather than sentences to be left as they are."""
    return not phrase.rstrip().endswith((".", "?", "!"))


def is_imperative(template: str) -> bool:
    """Whether a template, its slots unfilled, begins with a verb and ends open."""
    first = template.split(maxsplit=1)[0].strip(",:;").lower()
    opens = template[0] in f'{{"{OPEN}' or template[0].isupper() or template.startswith("do not ")
    return is_clause(template) and not opens and first not in _NOT_VERBS


def upper_first(text: str) -> str:
    """Capital first letter, also behind a mark."""
    for index, char in enumerate(text):
        if char not in (OPEN, CLOSE, '"'):
            return text[:index] + char.upper() + text[index + 1 :] if char.isalpha() else text
    return text


def lower_first(text: str) -> str:
    """Small first letter, unless the text begins with a value."""
    return text if not text or text[0] == OPEN or text[:2] in ("I ", "I'") or text[1:2].isupper() else text[0].lower() + text[1:]


def filled(template: str, clauses: dict[str, str]) -> str:
    """A template with clauses for its slots; a slot in capitals begins a sentence."""
    for name, text in clauses.items():
        template = template.replace(f"{{{name}}}", lower_first(text)).replace(f"{{{name.upper()}}}", upper_first(text))
    return template


def ask_command(manner: Manner, clause: str, rng: random.Random, after: str = "") -> str:
    """A command, or whole sentences, in a manner; `after` is a sentence to follow."""
    body = filled(rng.choice(manner.commands), {"c": clause}) if is_clause(clause) else (clause if manner.lower else upper_first(clause))
    if after:
        body = f"{body}{'.' if is_clause(body) else ''} {after}"
    return around(manner, body, rng)


def ask_question(manner: Manner, clause: str, rng: random.Random) -> str:
    """A question in a manner; the clause may be whole sentences already, or tell to look something up."""
    if is_imperative(clause):
        return around(manner, filled(rng.choice(LOOK_UPS), {"c": clause}), rng)
    body = filled(rng.choice(manner.questions), {"q": clause}) if is_clause(clause) else upper_first(clause)
    return around(manner, body, rng)


def ask_several(manner: Manner, clauses: list[str], rng: random.Random) -> str:
    """Two or more commands in one request."""
    if len(clauses) == 2 and all(map(is_clause, clauses)):
        return around(manner, filled(rng.choice(manner.joins), {"a": clauses[0], "b": clauses[1]}), rng)
    parts = [upper_first(c) + ("." if is_clause(c) else "") for c in clauses]
    if len(parts) > 2 and rng.random() < 0.5:
        parts = [f"{number}. {part}" for number, part in enumerate(parts, 1)]
        return around(manner, f"{_several(len(parts))} things. " + " ".join(parts), rng)
    starts = ["", rng.choice(("Then ", "Also: ", "Next: ", "And: ")), rng.choice(("And last, ", "Finally, ", "One more: "))]
    joined = [starts[min(i, 2)] + (lower_first(p) if i and starts[min(i, 2)] else p) for i, p in enumerate(parts)]
    return around(manner, " ".join(joined), rng)


def _several(count: int) -> str:
    return {2: "Two", 3: "Three", 4: "Four"}.get(count, str(count))


def fallback(noun: str, rng: random.Random) -> str:
    """What is wanted instead, should the request not be possible."""
    return rng.choice(FALLBACKS).replace("{noun}", noun)


def around(manner: Manner, body: str, rng: random.Random) -> str:
    """What people say before and after what they have to say."""
    opening, closing = rng.choice(manner.openings), rng.choice(manner.closings)
    if opening and opening.rstrip()[-1] not in ".!:":
        body = lower_first(body)
    if closing and is_clause(body) and not manner.lower:
        body += "."
    elif closing and is_clause(body):
        closing = "," + closing
    return opening + body + closing
