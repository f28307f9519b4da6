"""Set-ups of twin tasks: the same request in a world where a policy forbids it, and in one where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from synthtools.arguments import ArgumentError, ArgumentParser
from synthtools.backend import LocalBackend, programs
from synthtools.blueprint import PolicySpec
from synthtools.domain import Domain
from synthtools.fuzz import to_agent
from synthtools.promise import broken, row_sets
from synthtools.sample import CallSampler
from synthtools.sql import tokens
from synthtools.tasks.build import Builder, NotBuilt
from synthtools.tasks.describe import Description
from synthtools.tool import Tool

_HOPS = 2


def tempt(sampler: CallSampler, policy: PolicySpec, tool: Tool) -> dict[str, Any]:
    """Arguments of a sensible call that a policy is about: the tool's own, and over them the policy's `given`. Raises NotBuilt."""
    arguments = sampler.sample(tool, sensible=True)
    if arguments is None:
        raise NotBuilt("no_arguments")
    for name, given in policy.given.items():
        value = sampler.draw(given, arguments)
        if value is None:
            raise NotBuilt("no_given")
        arguments[name] = to_agent(tool.parameters["properties"][name], value)
    return arguments


def bind_setup(setup: Sequence[str], arguments: Mapping[str, Any], tool: Tool, domain: Domain) -> tuple[str, ...]:
    """Set-up statements with a call's arguments written in, so that a start needs nothing else. Raises NotBuilt."""
    try:
        scope = ArgumentParser(tool).parse(dict(arguments))
    except ArgumentError as error:
        raise NotBuilt(error.kind) from None
    scope |= {"today": domain.today, "now": domain.now}
    return tuple("".join(apsw.format_sql_value(scope[t.text[1:]]) if t.kind == "bind" else t.text for t in tokens(sql)) for sql in setup)


def forced_break(backend: LocalBackend, domain: Domain, tool: Tool, arguments: Mapping[str, Any], policy: str) -> bool:
    """Whether the effects of a call, guards or no guards, break a policy; the world is as before afterwards."""
    program, world = programs(domain)[tool.name], backend.world
    scope = ArgumentParser(tool).parse(dict(arguments)) | {"now": world.now, "today": world.now[:10]}
    connection = world.connection
    connection.execute("SAVEPOINT forced")
    counters = world.counters.copy()
    try:
        with connection.bounded():
            program.scope(connection, scope)
            program.run_effects(connection, scope)
        return broken(connection, domain, policy, world.changes(), [(tool.key, dict(arguments), "")])
    except apsw.ConstraintError:
        return False
    finally:
        connection.execute("ROLLBACK TO forced")
        connection.execute("RELEASE forced")
        world.counters = counters


def evidence(builder: Builder, domain: Domain, policy: str, rows: Sequence[Description]) -> None:
    """Look up what a policy depends on, of the rows that a request speaks of and those they refer to."""
    text = domain.policies[policy].broken_when
    named = {t.text.partition(".")[2] or t.text for t in tokens(text) if t.kind == "word"}
    mentioned = {t.text for t in tokens(text) if t.kind == "word"}
    sets = set(row_sets(domain.tables))
    tables = {name for name in domain.tables if name in mentioned and name not in sets}
    for row in rows:
        builder.locate(row.entity, row.id, row.claims)
        _follow(builder, domain, row.entity, row.id, (tables, named), _HOPS)


def _follow(builder: Builder, domain: Domain, entity: str, row: str, wanted: tuple[set[str], set[str]], hops: int) -> None:
    tables, named = wanted
    columns = domain.tables[entity].columns.values()
    own = [c.name for c in columns if c.name in named and c.kind != "id"] if entity in tables else []
    for name in own:
        if (entity, row, name) not in builder.cells and builder.describer.value(entity, row, (name,)) is not None:
            builder.cell(entity, row, name)
    if hops == 0:
        return
    for child in sorted(tables):
        for link in domain.tables[child].columns.values():
            if link.ref == entity and child != entity:
                builder.list_children(child, link.name, entity, row)
    for column in columns:
        if column.ref in tables and column.ref != entity:
            referred = builder.describer.value(entity, row, (column.name,))
            if referred is not None:
                builder.cell(entity, row, column.name)
                _follow(builder, domain, column.ref, str(referred), wanted, hops - 1)
