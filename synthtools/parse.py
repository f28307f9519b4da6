"""Blueprints from text and files: the first thing wrong, in our words, at its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from synthtools.blueprint import Blueprint
from synthtools.document import MAX_BYTES
from synthtools.nearest import did_you_mean
from synthtools.source import BlueprintError, Place, Source


def parse_blueprint(text: str, file: str = "blueprint.yaml") -> tuple[Blueprint, Source]:
    """Read a blueprint's text; a BlueprintError names the first thing wrong."""
    source = Source(text, file)
    data = source.data()
    if not isinstance(data, dict):
        raise BlueprintError(file, 1, "", "a blueprint is a mapping that starts with `field:` and `subdomain:`")
    try:
        return Blueprint.model_validate(data), source
    except ValidationError as error:
        raise _first_error(error, source, data) from None


def load_blueprint(path: str | Path) -> tuple[Blueprint, Source]:
    """Read a blueprint file."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BlueprintError(str(path), 1, "", f"cannot be read: {error}") from None
    return parse_blueprint(text, str(path))


def _first_error(error: ValidationError, source: Source, data: Any) -> BlueprintError:
    """The most telling of pydantic's errors, in our words, at its line."""
    details = sorted(error.errors(), key=lambda d: (d["type"] != "extra_forbidden", -len(d["loc"])))
    detail = details[0]
    place = _real_place(detail["loc"], data)
    if detail["type"] == "extra_forbidden":
        known = _keys_at(place)
        return source.error(place, f"unknown key; {did_you_mean(str(place[-1]), known)}")
    if detail["type"] == "missing":
        return source.error(place, "is missing; add it")
    return source.error(place, detail["msg"].removeprefix("Value error, "))


def _real_place(loc: tuple[int | str, ...], data: Any) -> Place:
    """The place that pydantic names, without the names of the union branches that it tried."""
    place: list[str | int] = []
    for part in loc:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            data = data[part]  # type: ignore[index]
        elif part is not loc[-1] or not isinstance(data, dict) or not re.fullmatch(r"[a-z_]+", str(part)):
            continue
        place.append(part)
    return tuple(place)


def _keys_at(place: Place) -> list[str]:
    """The keys allowed at the parent of a place, read off the models themselves."""
    model: Any = Blueprint
    annotation: Any = Blueprint
    for part in place[:-1]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = next((f for n, f in annotation.model_fields.items() if (f.alias or n) == part), None)
            annotation = field.annotation if field else None
        else:
            arguments = getattr(annotation, "__args__", ())
            annotation = arguments[-1] if arguments else None
        model = _model_in(annotation)
        annotation = model if model and not _is_container(annotation) else annotation
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, list)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model named somewhere inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in getattr(annotation, "__args__", ()) if (m := _model_in(a))), None)
