"""Judging: whether an episode's net changes and ending equal an alternative of its goal."""

from __future__ import annotations

from typing import Any

from synthtools.answer import answers
from synthtools.domain import Domain
from synthtools.goal import Alternative, Change, Changes, Ending, Goal, Judgement


MATCH_STEPS = 20_000
"""Steps of search after which matching is given up: a task that could need more is not admitted."""


class MatchTooHard(RuntimeError):
    """Our bug: a goal whose inserted rows are too alike to match within bounds got past the gates."""


def judge(goal: Goal, changes: Changes, ending: Ending | None, domain: Domain) -> Judgement:
    """Whether net changes and an ending equal one of the goal's alternatives; else what the nearest one lacks."""
    if ending is None:
        return Judgement(False, "no_ending")
    actual = relevant(changes, domain)
    reason: Any = "wrong_outcome"
    best = -1
    for alternative in goal.alternatives:
        found, rank = _judge_one(alternative, actual, ending, domain)
        if not found:
            return Judgement(True)
        if rank > best:
            reason, best = found, rank
    return Judgement(False, reason)


def _judge_one(alternative: Alternative, actual: Changes, ending: Ending, domain: Domain) -> tuple[str, int]:
    """The first thing wrong with an ending against one alternative (empty: nothing), and how far it got."""
    if ending.outcome != alternative.outcome:
        return "wrong_outcome", 0
    expected = relevant(alternative.changes, domain)
    renamed = match(expected, actual, domain)
    if renamed is None:
        return _difference(expected, actual), 1
    if alternative.about and _plain(ending.about) != _plain(renamed.get(alternative.about, alternative.about)):
        return "wrong_about", 2
    if alternative.answer is not None and not answers(alternative.answer, ending.answer, domain, renamed):
        return "wrong_answer", 3
    return "", 4


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").replace("-", " ").casefold().split()).strip(" .")


def _difference(expected: Changes, actual: Changes) -> str:
    wanted = {(c.table, c.op, c.key if c.op != "insert" else "") for c in expected}
    found = {(c.table, c.op, c.key if c.op != "insert" else "") for c in actual}
    if wanted - found:
        return "wrong_change" if found - wanted else "missing_change"
    return "extra_change" if found - wanted or len(actual) > len(expected) else "wrong_change"


def relevant(changes: Changes, domain: Domain) -> Changes:
    """The changes without incidental columns; an update of nothing else is none."""
    kept = []
    for change in changes:
        drop = _incidental(domain, change.table)
        if drop and (drop & change.after.keys() or drop & change.before.keys()):
            after = {k: v for k, v in change.after.items() if k not in drop}
            before = {k: v for k, v in change.before.items() if k not in drop}
            if change.op == "update" and not after:
                continue
            change = Change(change.table, change.op, change.key, before, after)
        kept.append(change)
    return tuple(kept)


def _incidental(domain: Domain, table: str) -> frozenset[str]:
    return frozenset(c.name for c in domain.tables[table].columns.values() if c.incidental)


def match(expected: Changes, actual: Changes, domain: Domain) -> dict[str, str] | None:
    """Generated ids of `expected` → those of `actual` under which both are the same, or None where none is.

    Updates and deletes match by key; inserted rows by content, their ids being free.
    Raises MatchTooHard beyond MATCH_STEPS steps.
    """
    if len(expected) != len(actual):
        return None
    fixed = {(c.table, c.op, c.key): c for c in actual if c.op != "insert"}
    inserts: dict[str, list[Change]] = {}
    for change in actual:
        if change.op == "insert":
            inserts.setdefault(change.table, []).append(change)
    wanted = [c for c in expected if c.op == "insert"]
    others = [(c, fixed.get((c.table, c.op, c.key))) for c in expected if c.op != "insert"]
    if any(found is None for _, found in others):
        return None
    return _Search(domain, {c.key for c in wanted}, inserts).run(wanted, [(c, f) for c, f in others if f is not None])


class _Search:
    """Backtracking over which inserted row stands for which."""

    def __init__(self, domain: Domain, generated: set[str], inserts: dict[str, list[Change]]) -> None:
        self.domain, self.generated, self.inserts = domain, generated, inserts
        self.steps = 0

    def run(self, wanted: list[Change], others: list[tuple[Change, Change]]) -> dict[str, str] | None:
        if not wanted and not self.inserts:
            return {} if all(self.same(w, f, {}) is not None for w, f in others) else None
        wanted.sort(key=lambda c: (len(self.inserts.get(c.table, ())), c.table, c.key))
        return self._assign(wanted, others, {}, set())

    def _assign(
        self, wanted: list[Change], others: list[tuple[Change, Change]], renamed: dict[str, str], used: set[str]
    ) -> dict[str, str] | None:
        self.steps += 1
        if self.steps > MATCH_STEPS:
            raise MatchTooHard(f"more than {MATCH_STEPS} steps to match {len(wanted)} inserted rows")
        if not wanted:
            for want, found in others:
                again = self.same(want, found, renamed)
                if again is None:
                    return None
                renamed = again
            return renamed
        want = wanted[0]
        for candidate in self.inserts.get(want.table, ()):
            if candidate.key in used or renamed.get(want.key, candidate.key) != candidate.key:
                continue
            extended = self.same(want, candidate, {**renamed, want.key: candidate.key})
            if extended is not None:
                done = self._assign(wanted[1:], others, extended, used | {candidate.key})
                if done is not None:
                    return done
        return None

    def same(self, want: Change, found: Change, renamed: dict[str, str]) -> dict[str, str] | None:
        """The renaming, extended by what makes both changes the same, or None."""
        if want.after.keys() != found.after.keys():
            return None
        columns = self.domain.tables[want.table].columns
        for name, value in want.after.items():
            other, column = found.after[name], columns[name]
            if column.kind == "id" and want.op == "insert":
                continue
            if column.ref and value in self.generated:
                value = str(value)
                if renamed.setdefault(value, str(other)) != other:
                    return None
            elif column.kind == "text" and isinstance(value, str) and isinstance(other, str):
                if _plain(value) != _plain(other):
                    return None
            elif value != other:
                return None
        return renamed


def potential(goal: Goal, changes: Changes, domain: Domain) -> float:
    """How near the world is to the goal, from 0 to 1: the share of an alternative's changes present, wrong ones subtracted."""
    actual = relevant(changes, domain)
    return max(_nearness(relevant(a.changes, domain), actual, domain) for a in goal.alternatives)


def _nearness(expected: Changes, actual: Changes, domain: Domain) -> float:
    if not expected:
        return 0.0 if actual else 1.0
    generated = {c.key for c in expected if c.op == "insert"}
    left = list(actual)
    hits = 0
    for want in expected:
        search = _Search(domain, generated, {})
        index = next((i for i, c in enumerate(left) if _alike(search, want, c)), None)
        if index is not None:
            left.pop(index)
            hits += 1
    return max(0.0, (hits - len(left)) / len(expected))


def _alike(search: _Search, want: Change, found: Change) -> bool:
    if (want.table, want.op) != (found.table, found.op) or (want.op != "insert" and want.key != found.key):
        return False
    return search.same(want, found, {}) is not None
