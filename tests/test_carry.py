"""Carrying out a job: a name that leads nowhere is our bug and loud; what may be left out is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from synthtools.backend import LocalBackend
from synthtools.blueprint import Step
from synthtools.seed import generator
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.job import Job
from synthtools.tasks.maker import Maker
from workshop import workshop

WORKSHOP = workshop()


@pytest.fixture
def maker() -> Iterator[Maker]:
    """Makes tasks in the workshop's first world."""
    backend = LocalBackend(WORKSHOP)
    yield Maker(WORKSHOP, backend, 0, generator("carry"))
    backend.close()


def describable(maker: Maker) -> Job:
    """The workflow's job, about a repair that words can tell from the others."""
    while True:
        try:
            return maker.jobs.of_workflow("cheapest_part", WORKSHOP.blueprint.workflows["cheapest_part"])
        except NotBuilt:
            continue


def look_up(maker: Maker, path: str, skipped: frozenset[str] = frozenset()) -> Job:
    """The workflow's job, with parts of the given name searched first and nothing else done."""
    job = describable(maker)
    step = Step.model_validate({"call": "search_parts", "with": {"name": path}})
    return replace(job, steps=(step,), skipped=skipped)


def test_an_unknown_name_is_an_error(maker: Maker) -> None:
    """Neither given nor a result: not an argument that is silently left out."""
    assert maker.solve([look_up(maker, "kind")], maker.start).steps[0].arguments
    for path in ("knd", "part.id", "nothing"):
        with pytest.raises(LookupError, match="neither given"):
            maker.solve([look_up(maker, path)], maker.start)


def test_what_this_time_is_not_given_is_left_out(maker: Maker) -> None:
    """As with an optional argument that the request does not speak of."""
    assert maker.solve([look_up(maker, "colour", frozenset({"colour"}))], maker.start).steps[0].arguments == {}
