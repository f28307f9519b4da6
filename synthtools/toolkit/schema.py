"""JSON Schemas as pydantic writes them, made plain: no references, no titles, one type where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthtools.toolkit.fault import ToolkitError

FORMATS = ("date", "date-time", "time")
KEPT = (
    "type", "description", "enum", "const", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "default",
)  # fmt: skip
"""Keys that are taken over as they are."""


def plain_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any], place: str, inside: tuple[str, ...] = ()) -> dict[str, Any]:
    """A schema that stands by itself. Raises ToolkitError for one that refers to itself."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in inside:
            raise ToolkitError(f"{place}: {name} holds itself, and a tool's arguments cannot; nest it so many times as are needed")
        found = plain_schema(definitions[name], definitions, place, (*inside, name))
        return found | {k: v for k, v in schema.items() if k in ("description", "default")}
    if len(schema.get("allOf", ())) == 1:
        return plain_schema({**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}, definitions, place, inside)
    plain = {key: schema[key] for key in KEPT if key in schema}
    if plain.get("format") not in (None, *FORMATS):
        del plain["format"]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            plain["anyOf"] = [plain_schema(s, definitions, place, inside) for s in schema[key]]
    if plain.get("type") == "array":
        items = schema.get("items", {"type": "string"})
        plain["items"] = plain_schema(items, definitions, place, inside)
    if plain.get("type") == "object":
        properties = schema.get("properties", {})
        plain["properties"] = {name: plain_schema(inner, definitions, place, inside) for name, inner in properties.items()}
        plain["required"] = list(schema.get("required", ()))
        more = schema.get("additionalProperties")
        if isinstance(more, Mapping):
            plain["additionalProperties"] = plain_schema(more, definitions, place, inside)
    return plain
