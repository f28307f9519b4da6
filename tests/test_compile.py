"""Compiling: one kind of tool whoever wrote it, what it touches derived from its SQL, errors that can happen, and an API drawn anew."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from shed import SOUND
from small import TEXT, tool_shed
from synthtools.catalog import catalog
from synthtools.compile import compile_text
from synthtools.domain import Domain
from synthtools.finish import NAME as FINISH
from synthtools.load import load_domain
from synthtools.source import BlueprintError
from synthtools.surface import Surface, draw_surface
from synthtools.tool import RESERVED, Tool
from synthtools.user import RESPOND
from synthtools.wait import WAIT

SHED = tool_shed()
NAMES = tuple(catalog())
PLAIN = Surface()
KEYS = (
    "search_neighbours get_neighbour create_neighbour update_neighbour search_tools get_tool bring_back "
    "search_loans get_loan create_loan count_loans lend"
).split()


def facts(domain: Domain, key: str) -> tuple[set[str], set[str]]:
    """What a tool reads and writes."""
    tool = domain.tool(key)
    return set(tool.reads), set(tool.writes)


def test_every_tool_is_of_one_type() -> None:
    """Hand-written and compiled ones alike, named by what the agent sees."""
    assert [tool.key for tool in SHED.tools.values()] == KEYS
    assert {type(tool) for tool in SHED.tools.values()} == {Tool}
    assert [tool.name for tool in SHED.tools.values()] == list(SHED.tools)
    assert {tool.key: tool.origin.kind for tool in SHED.tools.values() if tool.origin.kind in ("hand", "transition")} == {
        "lend": "hand",
        "bring_back": "transition",
    }


def test_the_same_tool_written_by_hand_differs_only_in_where_it_comes_from() -> None:
    """A hand-written `get_tool` with the compiled one's words is that tool."""
    written = """\
  get_tool:
    description: Everything on record about a tool.
    parameters: {tool_id: {refers_to: tool}}
    let: {row: 'SELECT id FROM "tool" WHERE id = :tool_id'}
    guards: [{require: ":row.id IS NOT NULL", error: not_found, message: "There is no tool {tool_id}."}]
    returns: 'SELECT "id", "name", "day_rate", "loans", "state" FROM "tool" WHERE id = :tool_id'
"""
    by_hand = compile_text(TEXT.replace("  lend:\n", written + "  lend:\n"), surface=PLAIN)
    compiled = compile_text(TEXT, surface=PLAIN)
    assert by_hand.tool("get_tool").origin.kind == "hand"
    assert replace(by_hand.tool("get_tool"), origin=compiled.tool("get_tool").origin) == compiled.tool("get_tool")
    assert sorted(by_hand.tools) == sorted(compiled.tools)


@pytest.mark.parametrize(
    ("key", "reads", "writes"),
    [
        ("search_neighbours", "neighbour.fees neighbour.id neighbour.name", ""),
        ("count_loans", "loan.neighbour loan.tool", ""),
        ("update_neighbour", "neighbour.id neighbour.name", "neighbour.name"),
        ("bring_back", "tool.id tool.state", "tool.state"),
        ("create_loan", "loan.begins loan.ends loan.id loan.neighbour loan.tool neighbour.id tool.id", "+loan tool.loans"),
        ("lend", "neighbour.fees neighbour.id tool.day_rate tool.id tool.loans tool.state", "+loan neighbour.fees tool.loans tool.state"),
    ],
)
def test_reads_and_writes_follow_from_the_sql(key: str, reads: str, writes: str) -> None:
    """Columns by table; a plus is a row that comes. Nobody writes them down."""
    assert facts(SHED, key) == (set(reads.split()), set(writes.split()))
    assert SHED.tool(key).read_only is not bool(writes)


def test_a_row_that_goes_is_a_write() -> None:
    """With a minus."""
    domain = tool_shed(
        TEXT.replace(
            "      - UPDATE neighbour SET fees",
            "      - DELETE FROM loan WHERE tool = :tool_id AND begins > :today\n      - UPDATE neighbour SET fees",
        )
    )
    assert facts(domain, "lend")[1] == {"+loan", "-loan", "neighbour.fees", "tool.loans", "tool.state"}


@pytest.mark.parametrize("name", NAMES)
def test_read_only_tools_have_no_effects_and_others_have(name: str) -> None:
    """Over the catalogue: the flag, the effects and the writes tell the same."""
    tools = load_domain(name).tools.values()
    assert [t.name for t in tools if not (t.read_only == (not t.writes) == (not t.program.effects))] == []


@pytest.mark.parametrize(
    ("key", "errors"),
    [
        ("search_loans", []),
        ("get_loan", ["not_found"]),
        ("create_neighbour", []),
        ("create_loan", ["no_such_tool", "no_such_neighbour", "dates_reversed", "taken"]),
        ("update_neighbour", ["not_found", "nothing_to_change"]),
        ("bring_back", ["not_found", "wrong_state"]),
        ("lend", ["no_such_tool", "no_such_neighbour", "is_out", "dates_reversed", "taken"]),
    ],
)
def test_documented_errors_are_the_guards_and_the_invariants(key: str, errors: list[str]) -> None:
    """In the order in which they are checked; each has its message."""
    tool = SHED.tool(key)
    assert list(tool.errors) == errors
    assert all(tool.errors.values())


def test_invariants_that_a_tool_cannot_break_are_left_out() -> None:
    """Those whose columns it does not write, and those that it is said not to break."""
    checks = {tool.key: tool.program.checks for tool in SHED.tools.values() if tool.program.checks}
    assert checks == {"create_loan": ("loan.in_order", "loan.once"), "lend": ("loan.in_order", "loan.once")}
    sound = tool_shed(SOUND).tool("lend")
    assert sound.program.checks == ("loan.once",)
    assert "dates_reversed" not in sound.errors


def test_leaving_the_states_of_an_invariant_cannot_break_it() -> None:
    """A transition out of them is not checked, one into them is."""
    rule = "verbs: {in: bring_back}\n    keeps: {cheap: {sql: day_rate < 600, error: too_dear, while: [out]}}"
    into = TEXT.replace("verbs: {in: bring_back}", rule)
    assert "too_dear" not in tool_shed(into).tool("bring_back").errors
    assert "too_dear" in tool_shed(into.replace("while: [out]", "while: [in]")).tool("bring_back").errors


def test_an_unknown_error_cannot_be_ruled_out() -> None:
    """`cannot_break` names errors of invariants."""
    with pytest.raises(BlueprintError, match="'tipsy' is no invariant's error"):
        tool_shed(SOUND.replace("cannot_break: [dates_reversed]", "cannot_break: [tipsy]"))


def test_two_tools_cannot_have_one_name() -> None:
    """Nor may a tool be called as the environment's own."""
    assert (FINISH, RESPOND.name, WAIT.name) == RESERVED
    for name in RESERVED:
        with pytest.raises(BlueprintError, match=f"'{name}' is taken"):
            tool_shed(TEXT.replace("  lend:\n", f"  {name}:\n").replace("tempts: lend", f"tempts: {name}"))


def test_a_surface_changes_names_and_nothing_else() -> None:
    """The same keys, effects, guards and errors under other names; the digest tells them apart."""
    plain, other = (compile_text(TEXT, surface=s) for s in (PLAIN, Surface("find", "read", "add", "edit", False, "cursor", 10, "", "ok", "text")))
    assert [t.key for t in plain.tools.values()] == [t.key for t in other.tools.values()] == KEYS
    assert other.tool("search_loans").name == "loans_find"
    assert [(t.program.effects, t.errors, t.writes) for t in plain.tools.values()] == [
        (t.program.effects, t.errors, t.writes) for t in other.tools.values()
    ]
    assert "page" in plain.tool("search_loans").parameters["properties"]
    assert "after" in other.tool("search_loans").parameters["properties"]
    assert plain.tool("lend") == other.tool("lend")
    assert plain.digest != other.digest


def test_domains_have_surfaces_of_their_own() -> None:
    """Over the catalogue every part of a surface varies; a domain's is the same each time and can be drawn anew."""
    surfaces = [load_domain(name).surface for name in NAMES]
    assert surfaces == [draw_surface(name) for name in NAMES]
    for part in ("search", "get", "create", "update", "verb_first", "paging", "page_size", "envelope", "error", "money"):
        assert len({getattr(surface, part) for surface in surfaces}) > 1, part
    assert len({draw_surface("marina_berths", seed) for seed in range(20)}) > 15


def test_a_digest_is_of_all_that_was_compiled() -> None:
    """Text, surface and split; the file's name does not matter."""
    same = compile_text(TEXT, "a.yaml")
    assert compile_text(TEXT, "b.yaml") == same
    others = [compile_text(TEXT + "\n"), compile_text(TEXT, surface=PLAIN), compile_text(TEXT, split="test")]
    assert len({same.digest, *(domain.digest for domain in others)}) == 4


def test_a_domain_travels_to_other_processes() -> None:
    """Pickled and read back it is equal."""
    assert pickle.loads(pickle.dumps(SHED)) == SHED
