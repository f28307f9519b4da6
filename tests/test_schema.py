"""The published JSON Schema of blueprints: fresh, true of the catalogue, and as strict as the loader about what it can say.

Run as a script it writes the schema: `make schema`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from synthtools.blueprint import blueprint_schema
from synthtools.parse import parse_blueprint
from synthtools.source import BlueprintError, Source

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "synthtools" / "blueprint.schema.json"
CATALOG = sorted((ROOT / "synthtools" / "catalog").glob("*/*.yaml"))
TUTORIAL = (ROOT / "README.md").read_text(encoding="utf-8").partition("```yaml\n# workshop.yaml\n")[2].partition("```")[0]


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(blueprint_schema(), indent=1, sort_keys=True) + "\n"


def plain(text: str) -> dict[str, Any]:
    """A blueprint's YAML as plain data."""
    data: dict[str, Any] = Source(text, "blueprint.yaml").data()
    return data


def complaints(data: Any) -> list[str]:
    """What the published schema finds wrong."""
    checker = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in checker.iter_errors(data)]


def mappings(data: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in the data, the outermost first."""
    if isinstance(data, dict):
        yield data
    for child in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from mappings(child)


def part(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """A named part of a blueprint: the first entity, field, keep, tool, guard, parameter, workflow, step or policy."""
    entity = next(iter(data["entities"].values()))
    tool = next(iter(data["tools"].values()))
    workflow = next(iter(data["workflows"].values()))
    parts: dict[str, dict[str, Any]] = {
        "blueprint": data,
        "entity": entity,
        "id": entity["id"],
        "keep": next(keep for e in data["entities"].values() for keep in e.get("keeps", {}).values()),
        "field": next(f for e in data["entities"].values() for f in e["fields"].values() if isinstance(f, dict)),
        "tool": tool,
        "guard": next(guard for t in data["tools"].values() for guard in t.get("guards", ())),
        "parameter": next(iter(tool["parameters"].values())),
        "workflow": workflow,
        "step": workflow["steps"][0],
        "policy": next(iter(data["policies"].values())),
    }
    return parts[name]


PARTS = ("blueprint", "entity", "id", "keep", "field", "tool", "guard", "parameter", "workflow", "step", "policy")
WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "an unknown field of work": lambda data: data.update(field=7),
    "a name with a space": lambda data: data.update(subdomain="bicycle workshop"),
    "a day that is none": lambda data: data.update(today="June 12"),
    "a state list that is a string": lambda data: data["entities"]["repair"]["lifecycle"].update(booked="x"),
    "no entities": lambda data: data.pop("entities"),
    "an unknown everyday tool": lambda data: data["entities"]["bike"].update(offers=["teleport"]),
    "an unknown pick": lambda data: part("step", data).update(pick={"nicest": "price"}),
    "a share above one": lambda data: data["entities"]["bike"]["fields"].update(spare={"bool": 1.5}),
    "an unknown shorthand": lambda data: data["entities"]["bike"]["fields"].update(spare="colour"),
    "rows that are words": lambda data: data["entities"]["bike"].update(rows="many"),
}
"""Mistakes that a schema can see, made in the tutorial's blueprint."""


def test_the_published_schema_is_fresh() -> None:
    """`make schema` would change nothing."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_published_schema_is_a_schema() -> None:
    """It is valid JSON Schema itself."""
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_every_catalogue_file_satisfies_it(path: Path) -> None:
    """What the project itself writes completes and checks in an editor."""
    assert complaints(plain(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_an_unknown_key_anywhere_is_refused_by_both(path: Path) -> None:
    """An unknown key in any structured part of a catalogue file is refused by the schema and by the loader, which names it."""
    data = plain(path.read_text(encoding="utf-8"))
    for name in PARTS:
        wrong = deepcopy(data)
        part(name, wrong)["no_such_key"] = "x"
        assert complaints(wrong), name
        with pytest.raises(BlueprintError, match="no_such_key"):
            parse_blueprint(yaml.safe_dump(wrong, allow_unicode=True), path.name)


def test_the_tutorial_satisfies_it() -> None:
    """The blueprint that the README teaches with is sound."""
    assert complaints(plain(TUTORIAL)) == []


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_refused_by_both(mistake: str) -> None:
    """Schema and loader agree on what is wrong; the loader says it on one line that begins with file and line."""
    data = plain(TUTORIAL)
    WRONG[mistake](data)
    assert complaints(data)
    with pytest.raises(BlueprintError, match=r"^workshop\.yaml:\d+: [^\n]+$"):
        parse_blueprint(yaml.safe_dump(data, allow_unicode=True), "workshop.yaml")


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
