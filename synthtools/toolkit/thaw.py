"""States thawed: from JSON bytes to the objects that they were, all of them new."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from synthtools.toolkit.leaf import LEAVES, Scalar
from synthtools.toolkit.sqlite import thaw_connection
from synthtools.toolkit.state import FACTORIES, TAG, TAGGED


def thaw(frozen: bytes | Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """Attributes of an instance, all of them new. Raises ValueError for bytes that hold no state."""
    plain = orjson.loads(frozen) if isinstance(frozen, bytes) else frozen
    if isinstance(plain, dict) and isinstance(frozen, bytes) and TAGGED not in frozen:
        return plain
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
