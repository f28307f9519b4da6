"""Alterations of how an episode ends: its outcome, what it is about, its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alterations import Alteration, Case, alike
from episode import Plan, Said
from sentences import denying, saying
from wordings import every_candidate, right_forms, wrong_forms

from synthtools.finish import abilities
from synthtools.goal import OUTCOMES


def never_ended(case: Case) -> Iterator[Plan]:
    """Everything done, and no `finish`, or one that is none."""
    yield Plan(case.plan.acts, None)
    yield case.plan.with_ending(result="ok")


def wrong_outcome(case: Case) -> Iterator[Plan]:
    """All is right but the outcome."""
    right = case.references[0].outcome
    for outcome in case.shuffled([o for o in OUTCOMES if o != right]):
        yield case.plan.with_ending(outcome=outcome)


def wrong_about(case: Case) -> Iterator[Plan]:
    """All is right but what stands in the way."""
    if case.references[0].outcome == "done":
        return
    names = [*case.domain.policies, *abilities(case.domain).values(), "", str(case.answer), case.task.request[:80]]
    for name in case.shuffled([n for n in names if n != case.references[0].about]):
        yield case.plan.with_ending(about=name)


def _others(case: Case) -> list[Any]:
    """Values of the answer's kind that the reference's results hold besides it."""
    kind, right = case.references[0].kind, case.answer
    wrong: list[Any] = []
    for value in (leaf for result in case.played.values.values() for leaf in _leaves(result)):
        text = str(value)
        dated = len(text) >= 10 and text[4:5] == "-" and text[7:8] == "-" and text[:4].isdigit()
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {"number": number, "money": number, "date": dated}.get(kind, isinstance(value, str) and not dated)
        if fits and value != right and value not in wrong and not (isinstance(right, list) and value in right):
            wrong.append(value)
    if kind in ("id", "ids"):
        first = str(right[0] if isinstance(right, list) else right)
        table = next((t for t in case.domain.tables if any(r["id"] == first for r in case.rows(t))), None)
        return alike(case, table, first)[:6] if table else []
    return case.shuffled(wrong)


def _leaves(value: Any) -> Iterator[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if parts is None:
        yield value
    for part in parts or ():
        yield from _leaves(part)


def wrong_answer(case: Case) -> Iterator[Plan]:
    """The right change, and an answer that is near and wrong."""
    if case.answer is not None:
        for form in wrong_forms(case.references[0].kind, case.answer, _others(case), case.domain.today, case.rng):
            yield case.plan.with_ending(answer=form)


def denied_or_open(case: Case) -> Iterator[Plan]:
    """The right value in a sentence that denies it, or gives it as a bound."""
    if case.answer is not None:
        for form in denying(case.references[0].kind, case.answer, case.rng):
            yield case.plan.with_ending(answer=Said(form, None))


def lists_every_candidate(case: Case) -> Iterator[Plan]:
    """An answer that names the right thing among others."""
    if case.answer is not None and case.references[0].kind != "ids":
        forms = list(every_candidate(case.references[0].kind, case.answer, _others(case), case.rng))
        for form in case.shuffled(forms):
            yield case.plan.with_ending(answer=Said(form, None))


def whole_result(case: Case) -> Iterator[Plan]:
    """The last result as it came, for an answer: of several values, it says none."""
    if case.answer is not None and case.played.calls:
        label, _, result = case.played.calls[-1]
        value = case.played.values[label]
        says = value if not isinstance(value, dict | list) or not any(isinstance(v, dict | list) for v in value) else None
        yield case.plan.with_ending(answer=Said(result.content[:4000], None if isinstance(says, dict) else says))


def answer_in_other_words(case: Case) -> Iterator[Plan]:
    """The same answer in another form."""
    reference = case.references[0]
    if case.answer is not None:
        forms = right_forms(reference.kind, case.answer, case.domain.today, case.domain.blueprint.currency)
        if reference.kind == "word":
            forms += case.domain.blueprint.words.get(str(case.answer), [])
            forms += {"true": ["yes", "Yes."], "false": ["no", "No"]}.get(str(case.answer).lower(), [])
        for form in case.shuffled(forms):
            yield case.plan.with_ending(answer=Said(form, case.answer))


def answer_in_a_sentence(case: Case) -> Iterator[Plan]:
    """The same answer in a sentence, or with other marks around it."""
    if case.answer is not None:
        for form in case.shuffled(saying(case.references[0].kind, case.answer)):
            yield case.plan.with_ending(answer=Said(form, case.answer))


def about_in_other_words(case: Case) -> Iterator[Plan]:
    """What stands in the way, in other case or with other separators."""
    about = case.references[0].about
    if case.references[0].outcome != "done":
        for form in case.shuffled([about.upper(), about.replace("_", " "), about.replace(" ", "_"), f"{about}.", about.title(), f" {about} "]):
            yield case.plan.with_ending(about=form)


def more_said(case: Case) -> Iterator[Plan]:
    """Fields of the ending that nobody asked for, at a task that is done."""
    if case.references[0].outcome == "done":
        said: list[Mapping[str, Any]] = [{"about": "nothing"}, {"about": next(iter(case.domain.policies), "")}]
        if case.answer is None:
            said += [{"answer": "All done."}, {"answer": 1}, {"answer": [], "about": "done"}, {"answer": case.task.request[:200]}]
        for fields in case.shuffled(said):
            yield case.plan.with_ending(**fields)


WRONG = (
    Alteration("never ended", "wrong", never_ended),
    Alteration("wrong outcome", "wrong", wrong_outcome),
    Alteration("wrong about", "wrong", wrong_about),
    Alteration("right change, wrong answer", "wrong", wrong_answer, most=6),
    Alteration("answer denied or open", "wrong", denied_or_open, most=8),
    Alteration("every candidate named", "wrong", lists_every_candidate, most=4),
    Alteration("whole result as answer", "wrong", whole_result),
)

RIGHT = (
    Alteration("answer in other words", "right", answer_in_other_words, most=8),
    Alteration("answer in a sentence", "right", answer_in_a_sentence, most=8),
    Alteration("about in other words", "right", about_in_other_words, most=4),
    Alteration("more said", "right", more_said),
)
