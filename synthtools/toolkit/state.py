"""The state of a toolkit as data: an instance's attributes frozen to JSON bytes, and thawed again.

Mappings keep the order of their keys, since tools can see it. What JSON lacks is an object with the key `$` that names its kind;
an object that stands in two places of the state stands there again after thawing, not as a copy.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import orjson
from pydantic import BaseModel

from synthtools.toolkit.leaf import LEAVES, SCALARS, Scalar
from synthtools.toolkit.sqlite import CONNECTIONS, freeze_connection, thaw_connection

TAG = "$"
"""The key that marks what JSON has no word for."""
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
    return dump(_Freezer(types, inline=False).root(attributes))


def flatten_aliases(attributes: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """The same as plain data, to look at and not to keep: it shares what it can, and repeats what stands in two places."""
    return _Freezer(types, inline=True).root(attributes)


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
        changed: dict[str, Any] = {}
        key = None
        try:
            for key, held in value.items():  # noqa: B007 - named in the error
                if type(key) is not str or key == TAG:
                    return {TAG: "map", "items": self._pairs(value)}
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


def thaw(frozen: bytes | Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """Attributes of an instance, all of them new. Raises ValueError for bytes that hold no state."""
    plain = orjson.loads(frozen) if isinstance(frozen, bytes) else frozen
    if not isinstance(plain, Mapping):
        raise ValueError("a state is an object of attributes")
    thawer = _Thawer(types)
    try:
        return {name: thawer.value(held) for name, held in plain.items()}
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"no state of this toolkit: {error!r}") from None


class _Thawer:
    """One pass over frozen data, in the order in which it was frozen."""

    def __init__(self, types: Mapping[str, type]) -> None:
        self.types = types
        self.made: list[Any] = []

    def value(self, plain: Any) -> Any:
        kind = type(plain)
        if kind is dict:
            if TAG in plain:
                return self._tagged(plain)
            out: dict[str, Any] = {}
            self.made.append(out)
            for key, held in plain.items():
                out[key] = held if type(held) in LEAVES else self.value(held)
            return out
        if kind is list:
            items: list[Any] = []
            self.made.append(items)
            items.extend([held if type(held) in LEAVES else self.value(held) for held in plain])
            return items
        return plain

    def _tagged(self, plain: Mapping[str, Any]) -> Any:
        tag = plain[TAG]
        scalar: Scalar | None = Scalar.by_tag(tag)
        if scalar is not None:
            return scalar.read(plain["value"])
        if tag == "same":
            return self.made[plain["number"]]
        if tag == "enum":
            return self.types[plain["type"]][plain["value"]]  # type: ignore[index]
        if tag in ("tuple", "frozenset"):
            items = [self.value(held) for held in plain["items"]]
            return tuple(items) if tag == "tuple" else frozenset(items)
        return self._container(tag, plain)

    def _container(self, tag: str, plain: Mapping[str, Any]) -> Any:
        if tag == "object":
            return self._object(plain)
        if tag == "sqlite":
            connection = thaw_connection(plain)
            self.made.append(connection)
            return connection
        if tag == "random":
            chance = random.Random()  # noqa: S311 - its state follows
            self.made.append(chance)
            chance.setstate(self.value(plain["state"]))
            return chance
        if tag in ("set", "deque"):
            held: Any = set() if tag == "set" else deque(maxlen=plain["most"])
            self.made.append(held)
            for item in plain["items"]:
                (held.add if tag == "set" else held.append)(self.value(item))
            return held
        made: Any = {"map": dict, "ordered": OrderedDict, "counter": Counter, "default": defaultdict}[tag]()
        if tag == "default":
            made.default_factory = FACTORIES[plain["factory"]]
        self.made.append(made)
        for key, item in plain["items"]:
            made[self.value(key)] = self.value(item)
        return made

    def _object(self, plain: Mapping[str, Any]) -> Any:
        kind = self.types[plain["type"]]
        made: Any = object.__new__(kind)
        self.made.append(made)
        fields = {name: self.value(held) for name, held in plain["fields"].items()}
        if not isinstance(made, BaseModel):
            for name, held in fields.items():
                object.__setattr__(made, name, held)
            return made
        declared = {name: held for name, held in fields.items() if name in type(made).model_fields}
        extra = {name: held for name, held in fields.items() if name not in declared}
        private = {name: self.value(held) for name, held in plain.get("private", {}).items()}
        object.__setattr__(made, "__dict__", declared)
        object.__setattr__(made, "__pydantic_fields_set__", set(plain.get("set", declared)))
        object.__setattr__(made, "__pydantic_extra__", extra if type(made).model_config.get("extra") == "allow" else None)
        object.__setattr__(made, "__pydantic_private__", private or None)
        return made
