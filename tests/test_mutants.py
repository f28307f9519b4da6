"""The audit tells faulty tools from sound ones: measured on mutants of every tool."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shed import shed
from synthtools.audit import audit_domain, audit_mutants
from synthtools.audit.mutants import KINDS, Mutant, mutants
from synthtools.audit.probe import Probe
from synthtools.audit.whole import failures_of
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


def test_a_mutant_is_linked_as_the_compiler_would() -> None:
    """What it writes, documents and checks follows from its own SQL: an author's mistake would compile to the same."""
    domain = shed()
    sound, found = domain.tool("lend"), made(domain, "lend")
    dropped = next(m.tool for m in found if (m.kind, m.where) == ("guard dropped", "guard 2"))
    assert set(sound.errors) - set(dropped.errors) == {"is_out"}
    spared = next(m.tool for m in found if (m.kind, m.where) == ("missing effect", "effect 2"))
    assert sound.writes - spared.writes == {"neighbour.fees"}
    written = "      - UPDATE neighbour SET fees = fees + :days * :tool.day_rate WHERE id = :neighbour_id\n"
    assert spared == replace(shed(written, "").tool("lend"), program=spared.program)


def test_caught_is_what_the_audit_reports() -> None:
    """The sound tool has no failure; a faulty one has those that an audit of a domain with it reports."""
    domain = shed()
    probe = Probe(domain, LocalBackend(domain))
    assert failures_of(domain, domain.tool("lend"), probe) == set()
    faulty = shed("fees + :days * :tool.day_rate WHERE", "fees + :days * :tool.day_rate + 1 WHERE")
    caught = {check for check, _ in failures_of(domain, faulty.tool("lend"), probe)}
    assert "promise" in caught
    assert caught <= {finding.check for finding in audit_domain(faulty).failures}


def test_every_mutant_can_be_made_ready() -> None:
    """SQLite takes each, so that only behaviour tells them apart."""
    domain = shed()
    for key in ("lend", "create_loan", "search_neighbours", "bring_back", "count_loans"):
        assert all(ToolProgram(domain, mutant.tool) for mutant in made(domain, key))


@pytest.mark.parametrize(("domain", "limit"), [(shed(), 6), (load_domain("marina_berths"), 2)], ids=["tool_shed", "marina_berths"])
def test_at_least_95_percent_are_caught(domain: Domain, limit: int) -> None:
    """Of the mutants that some call tells from the sound tool, a thorough audit reports 95 %."""
    report = audit_mutants(domain, limit=limit)
    assert report.distinguishable > 40
    assert report.share >= 0.95, report.survivors
    assert report.detected + len(report.survivors) == report.distinguishable
    assert sum(report.by_check.values()) == report.detected


def test_the_same_seed_gives_the_same_figures() -> None:
    """Two measurements agree."""
    assert audit_mutants(shed(), limit=2) == audit_mutants(shed(), limit=2)
