"""The benchmark of steps goes round whatever tasks a domain's stream begins with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import step  # noqa: E402

from synthtools.catalog import catalog  # noqa: E402
from synthtools.load import load_domain  # noqa: E402

DOMAIN = "marina_berths"


@pytest.mark.parametrize("choose", [step.keyed_reads, step.transitions])
def test_every_tool_of_a_workload_is_timed(choose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the first tasks of the stream may have faults, in which a backend stands around the one that is measured."""
    monkeypatch.setattr(step, "CALLS", 2)
    found = list(step.ratios(load_domain(DOMAIN), choose))
    assert len(found) > 3
    assert all(ratio > 0 and taken > 0 for ratio, taken in found)


def test_a_vector_has_a_read_for_every_seed() -> None:
    """Of the domains that are measured; among their first tasks are some with faults, in which a backend stands around the one that is read."""
    faulty = 0
    for entry in list(catalog().values())[::4]:
        calls = step.vector_actions(entry.env_id, 8)
        assert len(calls) == 8
        env = gymnasium.make(entry.env_id)
        for seed in range(8):
            env.reset(seed=seed)
            faulty += bool(env.unwrapped.task.faults)
        env.close()
    assert faulty
