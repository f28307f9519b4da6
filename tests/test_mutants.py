"""The audit tells faulty tools from sound ones: measured on mutants of every tool."""

from __future__ import annotations

import pytest

from shed import shed
from synthtools.audit import audit_mutants
from synthtools.audit.mutants import KINDS, Mutant, mutants
from synthtools.backend import LocalBackend, Snapshot
from synthtools.domain import Domain
from synthtools.execute import ToolProgram
from synthtools.load import load_domain


def made(domain: Domain, key: str) -> list[Mutant]:
    """Every mutant of a tool."""
    backend = LocalBackend(domain)
    backend.reset(Snapshot(domain.digest, -1))
    return list(mutants(domain, domain.tool(key), backend.world.connection))


def test_every_kind_of_fault_is_made() -> None:
    """A tool with guards, effects and a result gives mutants of all kinds."""
    assert {mutant.kind for mutant in made(shed(), "lend")} == set(KINDS)


def test_a_mutant_has_one_fault() -> None:
    """It differs from the tool in its program alone, and no two are the same."""
    domain = shed()
    found = made(domain, "lend")
    assert all(mutant.tool.program != domain.tool("lend").program for mutant in found)
    assert all(mutant.tool.ensures == domain.tool("lend").ensures for mutant in found)
    assert len({(m.kind, m.where, m.change, str(m.tool.program)) for m in found}) == len(found)


def test_every_mutant_can_be_made_ready() -> None:
    """SQLite takes each, so that only behaviour tells them apart."""
    domain = shed()
    for key in ("lend", "create_loan", "search_neighbours", "bring_back", "count_loans"):
        assert all(ToolProgram(domain, mutant.tool) for mutant in made(domain, key))


@pytest.mark.parametrize("domain", [shed(), load_domain("marina_berths")], ids=["tool_shed", "marina_berths"])
def test_at_least_95_percent_are_caught(domain: Domain) -> None:
    """Of the mutants that some call tells from the sound tool, the checks catch 95 %."""
    report = audit_mutants(domain, limit=6)
    assert report.distinguishable > 40
    assert report.share >= 0.95, report.survivors
    assert report.detected + len(report.survivors) == report.distinguishable
    assert sum(report.by_check.values()) == report.detected


def test_the_same_seed_gives_the_same_figures() -> None:
    """Two measurements agree."""
    assert audit_mutants(shed(), limit=5) == audit_mutants(shed(), limit=5)
