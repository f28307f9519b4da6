"""Blueprint → Domain: tables, invariants, and every tool vetted and linked."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import apsw

from synthtools.blueprint import Blueprint
from synthtools.cache import code_version, remembered
from synthtools.domain import Domain, Policy
from synthtools.everyday import Definition, everyday_tools
from synthtools.expressions import Expressions
from synthtools.invariant import make_invariants
from synthtools.link import Linker
from synthtools.parse import load_blueprint, parse_blueprint
from synthtools.promise import check_promises
from synthtools.schema import make_ddl, make_tables
from synthtools.setup import empty_tables
from synthtools.source import BlueprintError, Source
from synthtools.spreads import check_spreads
from synthtools.steps import check_steps
from synthtools.surface import Surface, draw_surface
from synthtools.tool import RESERVED, Origin
from synthtools.wording import check_wording

COMPILER = "1"
"""Changes whenever the same blueprint would compile to something else."""


def compiled(text: str, file: str = "blueprint.yaml", *, split: str = "train", surface: Surface | None = None) -> Domain:
    """The domain of a blueprint's text, from the cache folder where it has been compiled before."""
    key = f"{code_version()}\n{surface.text() if surface else ''}\n{split}\n{text}"
    domain: Domain = pickle.loads(remembered("domains", key, lambda: pickle.dumps(compile_text(text, file, split=split, surface=surface))))
    return domain


def compile_file(path: str | Path, *, split: str = "train", surface: Surface | None = None) -> Domain:
    """The domain of a blueprint file. Raises BlueprintError with one line: file, line, what and how to mend it."""
    return compile_blueprint(*load_blueprint(path), split=split, surface=surface)


def compile_text(text: str, file: str = "blueprint.yaml", *, split: str = "train", surface: Surface | None = None) -> Domain:
    """The domain of a blueprint's text."""
    return compile_blueprint(*parse_blueprint(text, file), split=split, surface=surface)


def compile_blueprint(blueprint: Blueprint, source: Source, *, split: str = "train", surface: Surface | None = None) -> Domain:
    """Compile a parsed blueprint; `surface` None draws the domain's own."""
    surface = surface or draw_surface(blueprint.subdomain)
    check_spreads(blueprint, source)
    tables = make_tables(blueprint, source)
    ddl = make_ddl(blueprint, tables)
    try:
        connection = empty_tables(ddl)
    except apsw.Error as error:
        raise source.error(("entities",), f"the tables cannot be made: {error}") from None
    invariants = make_invariants(blueprint, tables, connection, source)
    expressions = Expressions(blueprint, tables, connection, source)
    expressions.check()
    linker = Linker(blueprint, tables, invariants, connection, source)
    definitions = [Definition(name, name, tool, Origin("hand")) for name, tool in blueprint.tools.items()]
    tools = {}
    for definition in [*everyday_tools(blueprint, tables, surface), *definitions]:
        if definition.origin.kind != "hand" and definition.name in blueprint.tools:
            definition = replace(definition, name=definition.key)
        if definition.name in tools or definition.name in RESERVED:
            raise source.error(("tools",), f"the tool name {definition.name!r} is taken")
        tools[definition.name] = linker.link(definition)
    policies = {name: Policy(name, p.text, p.broken_when, p.tempts) for name, p in blueprint.policies.items()}
    digest = hashlib.sha256(f"{COMPILER}\n{surface.text()}\n{split}\n{source.text}".encode()).hexdigest()
    domain = Domain(
        name=blueprint.subdomain,
        field=blueprint.field,
        split=split,
        about=blueprint.about,
        today=blueprint.today,
        now=f"{blueprint.today}T{blueprint.opens}",
        blueprint=blueprint,
        surface=surface,
        ddl=ddl,
        tables=tables,
        tools=tools,
        invariants=invariants,
        policies=policies,
        digest=digest,
        source=source.text,
    )
    check_promises(domain, connection, source)
    expressions.check_policies({tool.key: tool.parameters["properties"] for tool in tools.values()})
    check_wording(domain, source)
    check_steps(domain, source)
    return domain


__all__ = ["BlueprintError", "compile_blueprint", "compile_file", "compile_text", "compiled"]
