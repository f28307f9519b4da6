"""The catalogue: every domain is deep, and none is another with other nouns."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
import sqlglot
from sqlglot import exp

from synthtools.audit import audit_domain
from synthtools.backend import LocalBackend, Snapshot
from synthtools.catalog import SPLITS, catalog, splits
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.populate import WORLDS
from synthtools.sample import CallSampler
from synthtools.seed import generator
from synthtools.sql import tokens
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.setup import bind_setup, forced_break
from synthtools.tool import Tool, ToolCall

NAMES = tuple(catalog())


def masked(statement: str, names: dict[str, str]) -> str:
    """The parsed statement with every noun (table, column, alias, parameter, text) as a placeholder numbered by first use."""

    def place(kind: str, noun: str) -> str:
        return names.setdefault(noun, f"{kind}{len(names)}")

    try:
        tree = sqlglot.parse_one(statement, dialect="sqlite")
    except sqlglot.errors.SqlglotError:
        return "".join(place("n", t.text) if t.kind in ("word", "bind", "string", "quoted") else t.text for t in tokens(statement))
    for node in tree.walk():
        if isinstance(node, exp.Identifier):
            node.set("this", place("n", node.this))
            node.set("quoted", False)
        elif isinstance(node, exp.Placeholder) and isinstance(node.this, str) or isinstance(node, exp.Literal) and node.is_string:
            node.set("this", place("n", node.this))
    return tree.sql(dialect="sqlite")


def shape(tool: Tool) -> str:
    """What a tool does, without its nouns."""
    program, names = tool.program, {}
    statements = [let.sql for let in program.lets] + [f"SELECT {g.require}" for g in program.guards]
    statements += [program.for_each.sql] if program.for_each else []
    statements += [*program.effects, *(r.sql for r in program.returns.values())]
    return "\n".join(masked(statement, names) for statement in statements)


@cache
def shapes(name: str) -> dict[str, str]:
    """Tool → its shape."""
    return {tool.key: shape(tool) for tool in load_domain(name).tools.values()}


def hand_written(domain: Domain) -> list[Tool]:
    """Tools that people wrote."""
    return [tool for tool in domain.tools.values() if tool.origin.kind == "hand"]


def tables_written(tool: Tool) -> set[str]:
    """The tables that a tool changes."""
    return {w.lstrip("+-").partition(".")[0] for w in tool.writes}


def test_sixteen_fields_are_split_for_good() -> None:
    """10 train, 2 validation, 4 test; every domain's field has a split, and its folder is the field's."""
    assert Counter(splits().values()) == Counter(train=10, validation=2, test=4)
    assert {entry.field for entry in catalog().values()} <= set(splits())
    assert set(splits().values()) == set(SPLITS)


@pytest.mark.parametrize("name", NAMES)
def test_domain_is_deep(name: str) -> None:
    """20–40 tools, 5 workflows, 4 policies, hand-written tools, some of which change several tables."""
    domain = load_domain(name)
    assert 20 <= len(domain.tools) <= 40
    assert len(domain.blueprint.workflows) >= 5
    assert len(domain.policies) >= 4
    assert len([t for t in hand_written(domain) if len(tables_written(t)) > 1]) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_at_least_six_hand_written_tools_are_in_no_other_domain(name: str) -> None:
    """Their parsed SQL, nouns masked, stands in no other domain."""
    others = {s for other in NAMES if other != name for s in shapes(other).values()}
    own = [t.key for t in hand_written(load_domain(name)) if shapes(name)[t.key] not in others]
    assert len(own) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_at_most_half_of_a_domains_tools_equal_any_other_domains(name: str) -> None:
    """Nouns masked, no other domain holds more than half of this one's tools."""
    own = shapes(name)
    for other in NAMES:
        if other != name:
            theirs = set(shapes(other).values())
            alike = [key for key, s in own.items() if s in theirs]
            assert len(alike) * 2 <= len(own), f"{other} has {alike}"


@pytest.mark.parametrize("name", NAMES)
def test_some_policy_is_enforced_by_no_tool(name: str) -> None:
    """There is a policy that a call which the tool accepts can break."""
    domain = load_domain(name)
    assert any(accepted_although_forbidden(domain, policy) for policy in domain.policies)


def accepted_although_forbidden(domain: Domain, policy: str) -> bool:
    """Whether a call exists that breaks the policy and that the tool accepts."""
    backend = LocalBackend(domain)
    rng = generator("policy", domain.name, policy)
    spec, tool = domain.blueprint.policies[policy], domain.tool(domain.policies[policy].tempts)
    for number in range(120):
        start = Snapshot(domain.digest, number % WORLDS)
        backend.reset(start)
        arguments = CallSampler(domain, backend, rng).sample(tool)
        if arguments is None:
            continue
        try:
            setup = bind_setup(spec.forbid, arguments, tool, domain)
        except NotBuilt:
            continue
        backend.reset(Snapshot(domain.digest, start.world, setup))
        if forced_break(backend, domain, tool, arguments, policy) and backend.call(ToolCall(tool.name, arguments)).error is None:
            return True
    return False


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [0, 1, -1, -2])
def test_start_worlds_keep_every_invariant(name: str, number: int) -> None:
    """No row of a start world breaks an invariant, and every table has rows."""
    domain = load_domain(name)
    backend = LocalBackend(domain)
    backend.reset(Snapshot(domain.digest, number))
    connection = backend.world.connection
    for invariant in domain.invariants:
        found = connection.execute(invariant.broken, {"today": domain.today, "now": domain.now}).fetchall()
        assert not found, invariant.name
    for table in domain.tables:
        assert connection.execute(f'SELECT COUNT(*) FROM "{table}"').get > 0, table


@pytest.mark.parametrize("name", NAMES)
def test_default_world_has_about_a_thousand_rows(name: str) -> None:
    """Between 700 and 1,500 rows."""
    domain = load_domain(name)
    backend = LocalBackend(domain)
    backend.reset(Snapshot(domain.digest, 0))
    rows = sum(backend.world.connection.execute(f'SELECT COUNT(*) FROM "{table}"').get for table in domain.tables)
    assert 700 <= rows <= 1500


ASKING = re.compile(
    r"\b(what|how|which|when|who|where|until|tell|know|say|need|give|name|price|cost|amount|number|date|list|find out|work out)\b|\?", re.IGNORECASE
)


@pytest.mark.parametrize("name", NAMES)
def test_words_ask_for_the_answer_that_is_wanted(name: str) -> None:
    """Every phrase of a workflow or tool with an answer asks for something, so that nobody fails for not guessing."""
    blueprint = load_domain(name).blueprint
    phrases = [p for w in blueprint.workflows.values() if w.answer for p in w.asked_as]
    phrases += [p for t in blueprint.tools.values() if t.answer for p in t.asked_as]
    assert not [p for p in phrases if not ASKING.search(p)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_tool_keeps_its_promise(name: str) -> None:
    """A thorough audit calls every tool, reaches every documented error, and finds nothing."""
    report = audit_domain(load_domain(name))
    assert [f"{f.tool} {f.check}: {f.detail}" for f in report.failures] == []
    assert report.errors_reached == report.errors_documented
