"""`synthtools catalog`: the fields, subdomains and tools there are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agents.cli.output import Json, print_json, print_line, print_table


def catalog(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of blueprints instead, for editors and models.")] = False,
    as_json: Json = False,
) -> None:
    """Show the catalogue: fields, their split, subdomains, and how many tools each has."""
    if schema:
        from synthtools.blueprint import blueprint_schema

        print_json(blueprint_schema())
        return
    entries = tree()
    if as_json:
        subdomains = [subdomain for field in entries for subdomain in field["subdomains"]]
        tools = sum(len(subdomain["tools"]) for subdomain in subdomains)
        print_json({"fields": len(entries), "subdomains": len(subdomains), "tools": tools, "tree": entries})
        return
    rows = [[part["name"], field["field"], field["split"], len(part["tools"])] for field in entries for part in field["subdomains"]]
    print_table("The catalogue", ("subdomain", "field", "split", "tools"), rows)
    print_line("Make one:        gymnasium.make('synthtools/MarinaBerths-v0')")
    print_line("Write your own:  synthtools catalog --schema > blueprint.schema.json")


def tree() -> list[dict[str, Any]]:
    """Fields with their subdomains, and those with the names of what they hold."""
    from synthtools.catalog import catalog as entries
    from synthtools.load import load_domain

    fields: dict[str, dict[str, Any]] = {}
    for entry in entries().values():
        domain = load_domain(entry.name)
        field = fields.setdefault(entry.field, {"field": entry.field, "split": entry.split, "subdomains": []})
        field["subdomains"].append(
            {
                "name": domain.name,
                "about": domain.about,
                "tools": list(domain.tools),
                "workflows": list(domain.blueprint.workflows),
                "policies": list(domain.policies),
            }
        )
    return list(fields.values())
