"""Generation: the same bytes for the same seed, the promised mixture, and no request skeleton too often."""

from __future__ import annotations

from collections import Counter

import pytest

from synthtools.catalog import catalog
from synthtools.codec import task_from_json, task_to_json
from synthtools.generate import PACK_SKELETON_LIMIT, generate_domain, generate_pack
from synthtools.load import load_domain
from synthtools.stream import TaskStream
from synthtools.task import KINDS, Task

NAMES = tuple(catalog())


@pytest.fixture(scope="module")
def pack() -> tuple[Task, ...]:
    """A pack over every domain of the catalogue."""
    return generate_pack(NAMES, 60, seed=5, workers=2).tasks


def test_one_and_two_workers_give_the_same_bytes(pack: tuple[Task, ...]) -> None:
    """The number of processes changes nothing."""
    again = generate_pack(NAMES[:2], 60, seed=5, workers=1).tasks
    assert [task_to_json(t) for t in again] == [task_to_json(t) for t in pack if t.domain in NAMES[:2]]


def test_shares_of_kinds(pack: tuple[Task, ...]) -> None:
    """No kind under 5 % or over 30 %; at least 40 % of solutions with three calls or more besides the ending."""
    kinds = Counter(task.kind for task in pack)
    assert set(kinds) == set(KINDS)
    for kind, number in kinds.items():
        assert 0.05 <= number / len(pack) <= 0.30, kind
    assert sum(len(t.solution) - 1 >= 3 for t in pack) / len(pack) >= 0.4


def test_no_skeleton_stands_too_often(pack: tuple[Task, ...]) -> None:
    """Requests that differ only in values are at most five."""
    assert max(Counter(task.skeleton for task in pack).values()) <= PACK_SKELETON_LIMIT


def test_requests_name_no_tool_and_no_column(pack: tuple[Task, ...]) -> None:
    """No identifier with an underscore of the task's own domain stands in a request."""
    for task in pack:
        domain = load_domain(task.domain)
        names = {n for t in domain.tools.values() for n in (t.name, t.key)} | {c for t in domain.tables.values() for c in t.columns}
        assert not [n for n in names if "_" in n and n in task.request], task.request


def test_twins_share_a_request_and_differ_in_outcome(pack: tuple[Task, ...]) -> None:
    """Both halves are there, with the same words and opposite ends."""
    by_id = {task.id: task for task in pack}
    for task in pack:
        if task.kind in ("missing_tool", "forbidden"):
            twin = by_id[task.twin]
            assert twin.request == task.request
            assert {task.goal.alternatives[0].outcome, twin.goal.alternatives[0].outcome} in ({"done", "impossible"}, {"done", "not_allowed"})


def test_tasks_survive_their_text(pack: tuple[Task, ...]) -> None:
    """A task is what its JSON line says."""
    for task in pack:
        assert task_from_json(task_to_json(task)) == task


def test_difficulty_can_be_asked_for() -> None:
    """Only tasks within the range come."""
    made = generate_domain(load_domain(NAMES[0]), 20, 1, difficulty=(4, 6))
    assert made.tasks
    assert {t.difficulty for t in made.tasks} <= {4, 5, 6}


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_is_pure_in_seed_and_index(name: str) -> None:
    """A task does not depend on which were made before it."""
    domain = load_domain(name)
    forward, alone = TaskStream(domain, 3), TaskStream(domain, 3)
    first = [forward[i] for i in range(4)]
    assert alone[3] == first[3]
