"""The state of a toolkit as data: an instance's attributes frozen to JSON bytes.

Mappings keep the order of their keys, since tools can see it. What JSON lacks is an object with the key `$` that names its kind;
an object that stands in two places of the state stands there again after thawing, not as a copy.
"""

from __future__ import annotations

import dataclasses
import gc
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import orjson
from pydantic import BaseModel

from synthtools.toolkit.leaf import LEAVES, SCALARS
from synthtools.toolkit.sqlite import CONNECTIONS, freeze_connection

TAG = "$"
"""The key that marks what JSON has no word for."""
_AS_IT_IS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
TAGGED = b'"$":'
_TEXT = frozenset({str})
_JSON = frozenset({str, int, float, bool, type(None), dict, list})
FACTORIES: dict[str, Any] = {"list": list, "dict": dict, "set": set, "int": int, "float": float, "str": str, "bool": bool, "none": None}
_MAPPINGS: dict[type, str] = {OrderedDict: "ordered", Counter: "counter", defaultdict: "default"}


class Unfreezable(ValueError):
    """State that cannot be kept as data: the attribute, its type, and what to hold in its place."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.path = what, list[str]()

    def __str__(self) -> str:
        return f"self.{'.'.join(reversed(self.path)) or '?'} {self.what}"


def freeze(attributes: Mapping[str, Any], types: Mapping[str, type]) -> bytes:
    """An instance's attributes as JSON bytes, the same for the same state. Raises Unfreezable."""
    quick = plain_json(attributes)
    if quick is not None:
        return quick
    return dump(_Freezer(types, inline=False).root(attributes))


def plain_json(attributes: Mapping[str, Any]) -> bytes | None:
    """The same at once, where there is nothing but JSON in trees: no other type, nothing in two places, no key `$`. Else None."""
    level: list[Any] = [attributes if type(attributes) is dict else dict(attributes)]
    count, seen = 0, set[int]()
    while level:
        held = gc.get_referents(*level)
        kinds = set(map(type, held))
        if not kinds <= _JSON or (float in kinds and any(type(v) is float and v - v != 0 for v in held)):
            return None
        level = [v for v in held if type(v) is dict or type(v) is list]
        count += len(level)
        seen.update(map(id, level))
        if len(seen) != count:
            return None
    try:
        frozen = orjson.dumps(attributes)
    except TypeError:
        return None
    return None if TAGGED in frozen else frozen


def quick_json(attributes: Mapping[str, Any]) -> bytes | None:
    """A state as JSON in a millisecond, to see whether it is as it was; None where it holds what JSON does not."""
    try:
        return orjson.dumps(attributes, option=_AS_IT_IS)
    except TypeError:
        return None


def flatten_aliases(attributes: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """The same as plain data, to look at and not to keep: it shares what it can, and repeats what stands in two places."""
    return _Freezer(types, inline=True).root(attributes)


class View:
    """Live state seen as plain data, no more of it than is looked at."""

    def __init__(self, types: Mapping[str, type]) -> None:
        self._freezer = _Freezer(types, inline=True)

    def shallow(self, value: Any) -> Any:
        """A value whose own kind is plain, and whose direct parts are JSON or tagged; what is deeper may be live."""
        if type(value) is dict and TAG not in value and set(map(type, value)) <= _TEXT:
            odd = {key: self.deep(held) for key, held in value.items() if type(held) not in _JSON or (type(held) is dict and TAG in held)}
            return {**value, **odd} if odd else value
        if type(value) is list:
            return [self.deep(held) if type(held) not in _JSON or (type(held) is dict and TAG in held) else held for held in value]
        return self.deep(value)

    def deep(self, value: Any) -> Any:
        """A value as plain data all through. Raises Unfreezable."""
        return self._freezer.plain(value)


def dump(plain: Mapping[str, Any]) -> bytes:
    """Plain data as bytes."""
    try:
        return orjson.dumps(plain)
    except TypeError as error:
        raise Unfreezable(f"holds text that cannot be kept: {error}") from None


class _Freezer:
    """One pass over a state."""

    def __init__(self, types: Mapping[str, type], *, inline: bool) -> None:
        self.names = {kind: name for name, kind in types.items()}
        self.seen: dict[int, int] = {}
        """id of an object → the number by which later places name it."""
        self.inline: dict[int, Any] | None = {} if inline else None
        """id of an object → what it came to."""

    def root(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {name: self._at(name, value) for name, value in attributes.items()}
        except RecursionError:
            raise Unfreezable("is nested too deeply") from None

    def _at(self, name: str, value: Any) -> Any:
        try:
            return self.plain(value)
        except Unfreezable as error:
            error.path.append(name)
            raise

    def plain(self, value: Any) -> Any:
        kind = type(value)
        check = LEAVES.get(kind)
        if check is not None:
            return value if check is True or check(value) else SCALARS[kind].tagged(value)
        if id(value) in self.seen:
            return self._again(value)
        if kind is dict:
            return self._kept(value, self._dict)
        if kind is list:
            return self._kept(value, self._list)
        scalar = SCALARS.get(kind)
        if scalar is not None:
            return scalar.tagged(value)
        return self._other(value, kind)

    def _kept(self, value: Any, make: Callable[[Any], Any]) -> Any:
        self.seen[id(value)] = len(self.seen)
        made = make(value)
        if self.inline is not None:
            self.inline[id(value)] = made
        return made

    def _again(self, value: Any) -> Any:
        if self.inline is None:
            return {TAG: "same", "number": self.seen[id(value)]}
        return self.inline.get(id(value), {TAG: "itself"})

    def _dict(self, value: dict[Any, Any]) -> Any:
        if TAG in value or not set(map(type, value)) <= _TEXT:
            return {TAG: "map", "items": self._pairs(value)}
        changed: dict[str, Any] = {}
        key = None
        try:
            for key, held in value.items():  # noqa: B007 - named in the error
                kind = type(held)
                if LEAVES.get(kind) is not True:
                    made = self.plain(held)
                    if made is not held:
                        changed[key] = made
        except Unfreezable as error:
            error.path.append(str(key))
            raise
        return {**value, **changed} if changed else value

    def _pairs(self, value: Mapping[Any, Any]) -> list[list[Any]]:
        return [[self.plain(key), self._at(str(key), held)] for key, held in value.items()]

    def _list(self, value: list[Any]) -> Any:
        made = [held if LEAVES.get(type(held)) is True else self._at(str(i), held) for i, held in enumerate(value)]
        return value if all(a is b for a, b in zip(made, value, strict=True)) else made

    def _other(self, value: Any, kind: type) -> Any:
        if kind is tuple:
            return {TAG: "tuple", "items": [self._at(str(i), held) for i, held in enumerate(value)]}
        if kind is set or kind is frozenset:
            return {TAG: kind.__name__, "items": self._members(value)} if kind is frozenset else self._kept(value, self._set)
        if kind is deque:
            return self._kept(value, lambda v: {TAG: "deque", "items": [self._at(str(i), h) for i, h in enumerate(v)], "most": v.maxlen})
        if kind in _MAPPINGS:
            return self._kept(value, self._mapping)
        if kind is random.Random:
            return self._kept(value, lambda v: {TAG: "random", "state": self.plain(v.getstate())})
        if kind in CONNECTIONS:
            return self._kept(value, self._connection)
        if isinstance(value, Enum):
            return {TAG: "enum", "type": self._name(kind), "value": value.name}
        if dataclasses.is_dataclass(value) or isinstance(value, BaseModel):
            return self._kept(value, self._object)
        raise Unfreezable(f"is of type {kind.__module__}.{kind.__qualname__}, which cannot be kept as data: use plain data, a dataclass or a model")

    def _set(self, value: set[Any]) -> Any:
        return {TAG: "set", "items": self._members(value)}

    def _members(self, value: Any) -> list[Any]:
        before = len(self.seen)
        members = sorted((self.plain(member) for member in value), key=orjson.dumps)
        if len(self.seen) != before:
            raise Unfreezable("is a set of objects; keep their keys in it")
        return members

    def _mapping(self, value: Any) -> Any:
        made = {TAG: _MAPPINGS[type(value)], "items": self._pairs(value)}
        if isinstance(value, defaultdict):
            name = next((n for n, factory in FACTORIES.items() if factory is value.default_factory), "")
            if not name:
                raise Unfreezable("is a defaultdict with a factory of its own; use list, dict, set, int, float or str")
            made["factory"] = name
        return made

    def _connection(self, value: Any) -> Any:
        try:
            return freeze_connection(value)
        except ValueError as error:
            raise Unfreezable(str(error)) from None

    def _object(self, value: Any) -> Any:
        name = self._name(type(value))
        if isinstance(value, BaseModel):
            fields = {**value.__dict__, **(value.__pydantic_extra__ or {})}
            made = {TAG: "object", "type": name, "fields": {k: self._at(k, v) for k, v in fields.items()}}
            if value.__pydantic_private__:
                made["private"] = {k: self._at(k, v) for k, v in value.__pydantic_private__.items()}
            if value.model_fields_set != set(value.__dict__):
                made["set"] = sorted(value.model_fields_set)
            return made
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if hasattr(value, f.name)} | getattr(value, "__dict__", {})
        return {TAG: "object", "type": name, "fields": {k: self._at(k, v) for k, v in fields.items()}}

    def _name(self, kind: type) -> str:
        name = self.names.get(kind)
        if name is None:
            raise Unfreezable(f"is of type {kind.__module__}.{kind.__qualname__}: define the class at the top of a file of the toolkit")
        return name
