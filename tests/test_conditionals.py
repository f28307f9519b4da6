"""Conditionals: what is asked makes sense of what follows, and either branch is as likely to be right."""

from __future__ import annotations

import re
from functools import cache

import pytest

from synthtools.backend import LocalBackend
from synthtools.catalog import catalog
from synthtools.generate import Factory
from synthtools.load import load_domain
from synthtools.seed import generator
from synthtools.task import Task
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.conditionals import Condition, alone, state_condition
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Maker

NAMES = tuple(catalog())
TRIES = 30
UGLY = re.compile(r"\b(that that|the that|the the|a the)\b|\b(to|you|please) don't\b|\b1 (nights|days|people)\b")


@cache
def maker_of(name: str) -> Maker:
    """A maker in the first start world of a domain."""
    domain = load_domain(name)
    return Maker(domain, LocalBackend(domain), 0, generator("conditionals", name))


@cache
def conditions(name: str) -> tuple[tuple[Job, Condition], ...]:
    """State conditions of a domain, each with the act as it was drawn."""
    maker, made = maker_of(name), []
    for _ in range(TRIES):
        maker.begin()
        try:
            act = maker.write_job(clause=True)
            row = maker.pick([r for r in alone(act) if "state" in maker.domain.tables[r.entity].columns])
            made.append((act, state_condition(maker, act, row, "do the rest")))
        except NotBuilt:
            continue
    return tuple(made)


@cache
def tasks(name: str) -> tuple[Task, ...]:
    """Conditional tasks of a domain, proven."""
    factory = Factory(load_domain(name), 11)
    return tuple(task for number in range(TRIES) for task in factory.attempt("conditional", number))


@pytest.mark.parametrize("name", NAMES)
def test_the_asked_state_is_one_in_which_the_act_is_possible(name: str) -> None:
    """The act as drawn is carried out on a row in just that state; the condition holds where its own row is in it."""
    maker = maker_of(name)
    assert conditions(name)
    for act, condition in conditions(name):
        maker.backend.reset(maker.start)
        states = {maker.describer.value(r.entity, r.id, ("state",)) for r in alone(act) if r.entity == condition.row.entity}
        actual = maker.describer.value(condition.row.entity, condition.row.id, ("state",))
        assert states == {condition.asked}
        assert condition.holds is (actual == condition.asked)
        assert maker.solve([act], maker.start).changes


def test_either_branch_is_as_likely() -> None:
    """Over the catalogue, conditions hold about half of the time."""
    holds = [condition.holds for name in NAMES for _, condition in conditions(name)]
    assert 0.4 < sum(holds) / len(holds) < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_conditionals_read_well(name: str) -> None:
    """Nothing is pointed at twice over, and nothing is told "to don't"."""
    assert tasks(name)
    assert [t.request for t in tasks(name) if UGLY.search(t.request)] == []


def test_the_row_is_described_once() -> None:
    """What is decided on is only pointed at when it comes up again."""
    requests = [t.request for name in NAMES for t in tasks(name)]
    assert sum(bool(re.search(r"\b(that [a-z]+|it)\b", r)) for r in requests) > 0.9 * len(requests)
