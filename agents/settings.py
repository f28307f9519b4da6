"""Files that people write for commands (agents, suites, recipes): YAML read as a model, and the first fault of one that holds none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from synthtools.document import DocumentError, read_text
from synthtools.nearest import did_you_mean

Kind = TypeVar("Kind", bound=BaseModel)


class FileFault(ValueError):
    """A file that does not hold what it should; one line for people, which begins with the file."""


def read_yaml(path: Path) -> Any:
    """What a file says. Raises FileFault for one that cannot be read, or is not YAML."""
    try:
        return yaml.safe_load(read_text(path))
    except DocumentError as error:
        raise FileFault(f"{path}:{error.line}: {error}") from None
    except yaml.YAMLError as error:
        raise FileFault(f"{path}: is not YAML: {' '.join(str(error).split())}") from None


def read_as(kind: type[Kind], data: Any, path: Path, others: Iterable[str] = ()) -> Kind:
    """What a file said, as a model. Raises FileFault; `others`: keys that would make it a file of another kind, and may have been meant."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise FileFault(f"{path}: {_first(error, kind, others)}") from None


def _first(error: ValidationError, kind: type[BaseModel], others: Iterable[str]) -> str:
    """The first fault; an unknown key, with the one that was probably meant, comes before one that is missing."""
    first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    place = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"{place or 'the file'}: {first['msg']}"
    *inside, key = first["loc"]
    return f"{place}: no such key; {did_you_mean(str(key), [*_keys(kind, inside), *(() if inside else others)])}"


def _keys(kind: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys that there are at a place of a file; numbers in lists and names in mappings lead no further."""
    for name in place:
        field = kind.model_fields.get(str(name))
        if field is not None:
            kind = next(found for found in _types(field.annotation) if issubclass(found, BaseModel))
    return list(kind.model_fields)


def _types(annotation: Any) -> list[type]:
    inner = [found for part in get_args(annotation) for found in _types(part)]
    return [annotation, *inner] if isinstance(annotation, type) else inner
