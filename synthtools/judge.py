"""Judging: whether an episode's net changes and ending equal an alternative of its goal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synthtools.answer import answers
from synthtools.domain import Domain
from synthtools.goal import Alternative, Change, Changes, Ending, Goal, Judgement
from synthtools.rule import Called, broken_rules
from synthtools.task import Task

MATCH_STEPS = 5_000
"""Steps of search after which matching is given up: a task that could need more is not admitted."""
_Row = tuple[str, str]
"""(table, id) of an inserted row."""
_Renamed = dict[_Row, str]
_Pairs = list[tuple[Change, Change]]
_WORDS = re.compile(r"(?:(?<!\w)-(?=\d))?[^\W_]+")


class MatchTooHard(RuntimeError):
    """Our bug: a goal whose inserted rows are too alike to match within bounds got past the gates."""


def judge_task(task: Task, calls: Iterable[Called], changes: Changes, ending: Ending | None, domain: Domain) -> Judgement:
    """Whether an episode met its task's goal, and kept the task's rules on the way."""
    judged = judge(task.goal, changes, ending, domain)
    if task.rules and judged.success and broken_rules(task.rules, task.user, calls, ending, domain):
        return Judgement(False, "broken_rule")
    return judged


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
    renamed = ({} if _checked(alternative, actual, domain) else None) if alternative.check else match(expected, actual, domain)
    if renamed is None:
        return _difference(expected, actual) if expected or not alternative.check else ("wrong_change" if actual else "missing_change"), 1
    if alternative.about and _plain(ending.about) != _plain(renamed.get(alternative.about, alternative.about)):
        return "wrong_about", 2
    if alternative.answer is not None and not answers(alternative.answer, ending.answer, domain, renamed):
        return "wrong_answer", 3
    return "", 4


def _checked(alternative: Alternative, actual: Changes, domain: Domain) -> bool:
    from synthtools.toolkit.check import holds

    return holds(domain, alternative.check, actual)


def _plain(text: str) -> str:
    """The words of a text, without case and punctuation but with the signs of numbers; a text of nothing else is itself."""
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", text).replace("−", "-").casefold())) or text


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
    wanted, found = _Side(expected, domain), _Side(actual, domain)
    if wanted.others.keys() != found.others.keys() or sorted(wanted.signed.values()) != sorted(found.signed.values()):
        return None
    renamed = _Search(domain, wanted, found).run()
    return None if renamed is None else {row[1]: key for row, key in renamed.items()}


class _Side:
    """One side of a match: its inserted rows, each with a signature that any row standing for it must share, and its other changes."""

    def __init__(self, changes: Changes, domain: Domain) -> None:
        self.inserts: dict[_Row, Change] = {(c.table, c.key): c for c in changes if c.op == "insert"}
        self.others = {(c.table, c.op, c.key): c for c in changes if c.op != "insert"}
        contents: dict[_Row, Any] = {}
        self.named: dict[_Row, list[Any]] = {}
        """Inserted row → what refers to it."""
        for change in changes if self.inserts else ():
            content = _content(change, self.inserts, domain)
            contents[change.table, change.key] = content
            for name, row in _links(change, self.inserts, domain):
                self.named.setdefault(row, []).append((name, content))
        self.signed = {row: repr((contents[row], sorted(map(repr, self.named.get(row, ()))))) for row in self.inserts}
        self.alike: dict[str, list[_Row]] = {}
        """Signature → the inserted rows that have it."""
        for row, signature in self.signed.items():
            self.alike.setdefault(signature, []).append(row)


def _links(change: Change, inserts: Mapping[_Row, Change], domain: Domain) -> Iterator[tuple[str, _Row]]:
    """The columns of a change that refer to an inserted row, and that row."""
    columns = domain.tables[change.table].columns
    for name, value in change.after.items():
        ref = columns[name].ref
        if ref and (ref, value) in inserts:
            yield name, (ref, str(value))


def _content(change: Change, inserts: Mapping[_Row, Change], domain: Domain) -> Any:
    """What a change holds, generated ids and the key of an inserted row left aside."""
    linked = {name for name, _ in _links(change, inserts, domain)}
    held = {name: _comparable(domain, change, name) for name in change.after if name not in linked and not _is_free(domain, change, name)}
    return (change.table, change.op, "" if change.op == "insert" else change.key, sorted(held.items()), sorted(linked))


def _is_free(domain: Domain, change: Change, name: str) -> bool:
    """Whether a column is the generated id of an inserted row."""
    return change.op == "insert" and name == "id" and bool(domain.tables[change.table].digits)


def _comparable(domain: Domain, change: Change, name: str) -> Any:
    """A cell as it is compared: of free text, the words."""
    value = change.after[name]
    return _plain(value) if domain.tables[change.table].columns[name].kind == "text" and isinstance(value, str) else value


class _Search:
    """Backtracking over which inserted row stands for which."""

    def __init__(self, domain: Domain, wanted: _Side, found: _Side) -> None:
        self.domain, self.wanted, self.found = domain, wanted, found
        self.steps = 0

    def run(self) -> _Renamed | None:
        """The renaming; None where there is none."""
        linked = []
        for key, want in self.wanted.others.items():
            if next(_links(want, self.wanted.inserts, self.domain), None) is not None:
                linked.append((want, self.found.others[key]))
            elif self.same(want, self.found.others[key], {}) is None:
                return None
        return self._assign(sorted(self.wanted.inserts, key=self._place), linked, {}, frozenset())

    def _place(self, row: _Row, seen: tuple[_Row, ...] = ()) -> tuple[_Row, ...]:
        """Where a row comes in the search: right after the row that it refers to."""
        parents = [parent for _, parent in _links(self.wanted.inserts[row], self.wanted.inserts, self.domain) if parent not in (row, *seen)]
        return (*self._place(parents[0], (row, *seen)), row) if parents else (row,)

    def _assign(self, left: Sequence[_Row], linked: _Pairs, renamed: _Renamed, used: frozenset[_Row]) -> _Renamed | None:
        self.steps += 1
        if self.steps > MATCH_STEPS:
            raise MatchTooHard(f"more than {MATCH_STEPS} steps to match {len(self.wanted.inserts)} inserted rows")
        if not left:
            return self._settle(linked, renamed)
        row = left[0]
        for candidate in self._candidates(row, used):
            if renamed.get(row, candidate[1]) == candidate[1]:
                extended = self.same(self.wanted.inserts[row], self.found.inserts[candidate], {**renamed, row: candidate[1]})
                done = extended and self._assign(left[1:], linked, extended, used | {candidate})
                if done:
                    return done
        return None

    def _candidates(self, row: _Row, used: frozenset[_Row]) -> Iterator[_Row]:
        """Rows that may stand for one. Of equal ones that nothing refers to, the first: any other would do no better."""
        tried = []
        for candidate in self.found.alike[self.wanted.signed[row]]:
            if candidate in used:
                continue
            cells = [value for name, value in self.found.inserts[candidate].after.items() if name != "id"]
            if candidate in self.found.named or cells not in tried:
                tried.append(cells)
                yield candidate

    def _settle(self, linked: _Pairs, renamed: _Renamed) -> _Renamed | None:
        for want, found in linked:
            again = self.same(want, found, renamed)
            if again is None:
                return None
            renamed = again
        return renamed

    def same(self, want: Change, found: Change, renamed: _Renamed) -> _Renamed | None:
        """The renaming, extended by what makes both changes the same, or None."""
        if want.after.keys() != found.after.keys():
            return None
        links = dict(_links(want, self.wanted.inserts, self.domain))
        for name in want.after:
            if name in links:
                if renamed.setdefault(links[name], str(found.after[name])) != found.after[name]:
                    return None
            elif not _is_free(self.domain, want, name) and _comparable(self.domain, want, name) != _comparable(self.domain, found, name):
                return None
        return renamed


def potential(goal: Goal, changes: Changes, domain: Domain) -> float:
    """How near the world is to the goal, from 0 to 1: the share of an alternative's changes present, wrong ones subtracted."""
    actual = relevant(changes, domain)
    return max(
        float(_checked(a, actual, domain)) if a.check else _nearness(relevant(a.changes, domain), actual, domain) for a in goal.alternatives
    )


def _nearness(expected: Changes, actual: Changes, domain: Domain) -> float:
    if not expected:
        return 0.0 if actual else 1.0
    missing, extra = residue(expected, actual, domain)
    return max(0.0, (len(expected) - len(missing) - len(extra)) / len(expected))


def residue(expected: Changes, actual: Changes, domain: Domain) -> tuple[Changes, Changes]:
    """What is on one side and has no like on the other: of the expected changes, and of the actual ones. Which inserted row is meant is left open."""
    inserts = {(c.table, c.key): c for c in expected if c.op == "insert"}
    ours = {(c.table, c.key): c for c in actual if c.op == "insert"}
    left = [(_content(change, ours, domain), change) for change in actual]
    missing = []
    for want in expected:
        content = _content(want, inserts, domain)
        place = next((number for number, (other, _) in enumerate(left) if other == content), None)
        if place is None:
            missing.append(want)
        else:
            del left[place]
    return tuple(missing), tuple(change for _, change in left)
