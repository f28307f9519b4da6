"""What an agent is shown of the tools where a task's faults make it less, more or other than it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synthtools.fault import ExtraTools, Fault, MisleadingDocs, TerseDocs
from synthtools.tool import function_schema

_WORDS = 4
"""Of a description, where docs are terse."""

Schema = Mapping[str, Any]


def faulty_schemas(keys: Mapping[str, str], schemas: Sequence[Schema], faults: Sequence[Fault]) -> tuple[Schema, ...]:
    """Schemas of a domain's tools as the faults have them shown, extra tools spread among them. `keys`: shown name → key."""
    shown = [_altered(schema, keys[schema["function"]["name"]], faults) for schema in schemas]
    extra = [tool for fault in faults if isinstance(fault, ExtraTools) for tool in fault.tools if tool.name not in keys]
    for number, tool in enumerate(extra, 1):
        shown.insert(number * len(shown) // (len(extra) + 1), function_schema(tool.name, tool.description, tool.parameters))
    return tuple(shown)


def _altered(schema: Schema, key: str, faults: Sequence[Fault]) -> Schema:
    for fault in faults:
        if isinstance(fault, MisleadingDocs) and fault.tool == key:
            schema = _optional(schema, fault)
        elif isinstance(fault, TerseDocs) and fault.tool in ("", key):
            schema = _terse(schema)
    return schema


def _optional(schema: Schema, fault: MisleadingDocs) -> Schema:
    """The parameter as one that can be left out."""
    function = schema["function"]
    parameters = function["parameters"]
    properties = dict(parameters["properties"])
    if fault.parameter in properties:
        properties[fault.parameter] = {**properties[fault.parameter], "description": fault.says}
    required = [name for name in parameters["required"] if name != fault.parameter]
    return function_schema(function["name"], function["description"], {**parameters, "properties": properties, "required": required})


def _terse(schema: Schema) -> Schema:
    """A few words of the description, and none of its parameters'."""
    function = schema["function"]
    parameters = function["parameters"]
    properties = {name: {key: value for key, value in field.items() if key != "description"} for name, field in parameters["properties"].items()}
    words = " ".join(function["description"].split()[:_WORDS]).rstrip(".,;:-")
    return function_schema(function["name"], words, {**parameters, "properties": properties})
