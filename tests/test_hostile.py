"""Hostile arguments come back as typed errors, or are inert text; nothing raises, and nothing that failed has changed the world."""

from __future__ import annotations

import pytest

from shed import shed
from synthtools.audit.hostile import INERT, INVALID, NAMES, Attack, attacks, unknown_names, withstand
from synthtools.backend import LocalBackend, Snapshot
from synthtools.load import load_domain
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.tool import ToolCall

DOMAIN = load_domain("marina_berths")
START = Snapshot(DOMAIN.digest, -1)


@pytest.mark.parametrize("name", DOMAIN.tools)
def test_a_tool_withstands_every_attack(name: str) -> None:
    """No attack on any argument raises, succeeds where it must not, or leaves a trace."""
    backend = LocalBackend(DOMAIN)
    backend.reset(START)
    tool = DOMAIN.tools[name]
    usual = CallSampler(DOMAIN, backend, generator("hostile", name)).sample(tool, sensible=False) or {}
    assert list(withstand(backend, tool, list(attacks(tool, usual)), START)) == []
    backend.close()


def test_the_table_of_hostile_inputs_is_covered() -> None:
    """Each line of the table that a tool call can show is among the attacks."""
    tool = DOMAIN.tools["book_stay"]
    rows = {attack.row.partition(":")[0] for attack in attacks(tool, {"boat_id": "B-0001"})}
    assert rows >= {
        "not JSON", "not an object", "encoded twice", "repeated key", "nesting", "size", "extra argument", "missing argument",
        "NaN", "Infinity", "1e999", "digits", "lone surrogate", "wrong type", "unstorable text", "no such moment", "odd text",
    }  # fmt: skip


def test_names_that_are_no_tools() -> None:
    """Private names, other cases, blanks and nonsense are unknown tools."""
    backend = LocalBackend(DOMAIN)
    assert list(unknown_names(backend, backend.domain, START)) == []
    assert len(set(NAMES)) == len(NAMES)
    backend.close()


def test_an_attack_that_gets_through_is_reported() -> None:
    """The check itself can fail: a valid call passed off as an attack."""
    backend = LocalBackend(DOMAIN)
    backend.reset(START)
    tool = DOMAIN.tools["search_boats"]
    through = list(withstand(backend, tool, [Attack("valid", {}, INVALID)], START))
    assert [row for row, _ in through] == ["valid"]
    backend.close()


@pytest.mark.parametrize("text", INERT)
def test_odd_text_is_stored_as_it_is(text: str) -> None:
    """What means something to another machine comes back unchanged, and changes one cell."""
    domain = shed()
    backend = LocalBackend(domain)
    backend.reset(Snapshot(domain.digest, -1))
    update = domain.tool("update_neighbour")
    key = backend.world.connection.execute("SELECT MIN(id) FROM neighbour").get
    result = backend.call(ToolCall(update.name, {"neighbour_id": key, "name": text}))
    assert result.error is None
    assert backend.world.connection.execute("SELECT name FROM neighbour WHERE id = ?", (key,)).get == text
    assert [tuple(change.after) for change in backend.changes()] == [("name",)]
    backend.close()
