"""Arguments drawn for calls: sensible ones mostly succeed, wide ones reach errors, both are valid by the schema and repeatable."""

from __future__ import annotations

from collections import Counter

import pytest

from shed import shed
from synthtools.backend import LocalBackend, Snapshot
from synthtools.blueprint import Given
from synthtools.load import load_domain
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.tool import ToolCall

DOMAIN = load_domain("marina_berths")


def sampler(world: int, *names: object) -> CallSampler:
    """A sampler of the marina at a world's start."""
    backend = LocalBackend(DOMAIN)
    backend.reset(Snapshot(DOMAIN.digest, world))
    return CallSampler(DOMAIN, backend, generator("sample", *names))


@pytest.mark.parametrize("name", DOMAIN.tools)
def test_sampled_arguments_are_never_malformed(name: str) -> None:
    """Whatever is drawn, the schema takes it: a call is accepted, or refused by the tool's own rule."""
    drawn = sampler(-1, name)
    for index in range(40):
        drawn.backend.reset(Snapshot(DOMAIN.digest, -1))
        arguments = drawn.sample(DOMAIN.tools[name], sensible=index % 2 == 0)
        if arguments is not None:
            assert drawn.backend.call(ToolCall(name, arguments)).error in (None, "refused")


def test_sensible_calls_mostly_succeed() -> None:
    """In a pretty world, four in five."""
    drawn, outcomes = sampler(0), Counter[bool]()
    for tool in DOMAIN.tools.values():
        for _ in range(10):
            drawn.backend.reset(Snapshot(DOMAIN.digest, 0))
            arguments = drawn.sample(tool)
            if arguments is not None:
                outcomes[drawn.backend.call(ToolCall(tool.name, arguments)).error is None] += 1
    assert outcomes[True] > 4 * outcomes[False]


def test_the_same_seed_draws_the_same() -> None:
    """In another backend, too."""
    one, other = sampler(-2, "same"), sampler(-2, "same")
    for tool in DOMAIN.tools.values():
        assert [one.sample(tool, sensible=s) for s in (True, False)] == [other.sample(tool, sensible=s) for s in (True, False)]


def test_candidates_follow_the_world() -> None:
    """What a call has changed is not offered again; a reset brings it back."""
    domain = shed()
    backend = LocalBackend(domain)
    start = Snapshot(domain.digest, -1)
    backend.reset(start)
    drawn = CallSampler(domain, backend, generator("follow"))
    lend = domain.tools["lend"]
    before = drawn.sample(lend)
    assert before is not None
    assert backend.call(ToolCall("lend", before)).error is None
    backend.world.connection.execute("UPDATE tool SET state = 'out'")
    assert drawn.sample(lend) is None
    backend.reset(start)
    assert drawn.sample(lend) is not None


def test_candidates_belong_to_the_world_one_stands_in() -> None:
    """Values looked up in one world, or before a call, are not given out in another, or after it."""
    drawn = sampler(0, "stand")
    seen = drawn.values("stay.state"), drawn.ids("stay")
    drawn.backend.reset(Snapshot(DOMAIN.digest, -1))
    assert drawn.ids("stay") != seen[1]
    drawn.backend.reset(Snapshot(DOMAIN.digest, 0, ("UPDATE stay SET state = 'cancelled'",)))
    assert drawn.values("stay.state") == ["cancelled"]
    drawn.backend.reset(Snapshot(DOMAIN.digest, 0))
    assert (drawn.values("stay.state"), drawn.ids("stay")) == seen


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (Given(int=(2, 4)), lambda value: value in (2, 3, 4)),
        (Given(money=(100, 1000), step=250), lambda value: value in (250, 500, 750, 1000)),
        (Given(date=(":day + 1", ":day + 2")), lambda value: value in ("2026-07-02", "2026-07-03")),
        (Given(date=("+0d", "+1d")), lambda value: value in ("2026-06-12", "2026-06-13")),
        (Given(choice=["a", "b"]), lambda value: value in ("a", "b")),
        (Given(entity="berth", where="state = 'open'", many=(2, 2)), lambda value: len(set(value)) == 2),
        (Given(entity="boat", where="holder.name = :name"), lambda value: value is None),
        (Given(sql="SELECT id FROM berth WHERE id = 'A1' ORDER BY id"), lambda value: value == "A1"),
        (Given(int=(5, 4)), lambda value: value is None),
    ],
)
def test_each_kind_of_given_draws_what_it_says(given: Given, fits: object) -> None:
    """Ranges with SQL ends, days after a day, rows under a condition, several, and nothing where nothing fits."""
    drawn = sampler(0, "given")
    assert all(fits(drawn.draw(given, {"day": "2026-07-01", "name": "nobody"})) for _ in range(20))  # type: ignore[operator]
