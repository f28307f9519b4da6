"""A tool's signature: its JSON Schema, and arguments as received made into the values that the method takes."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict

from synthtools.arguments import MAX_BYTES, MAX_DEPTH, ArgumentError, parse_text
from synthtools.tool import RESERVED
from synthtools.toolkit.declare import CODE, MARK, Mark
from synthtools.toolkit.docstring import Docstring, parse_docstring
from synthtools.toolkit.fault import ToolkitError
from synthtools.toolkit.schema import plain_schema

MAX_TEXT = 4000
"""Characters of one text in the arguments."""
_MAX_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Signature:
    """One marked method as agents see it, and what its arguments must be."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments object."""
    errors: Mapping[str, str]
    read_only: bool
    adapter: TypeAdapter[dict[str, Any]]

    def read(self, arguments: Mapping[str, Any] | str) -> bytes:
        """Arguments as received to JSON text whose names are right. Raises ArgumentError."""
        if isinstance(arguments, str):
            arguments = parse_text(arguments)
        elif not isinstance(arguments, Mapping):
            raise ArgumentError("invalid_arguments", "The arguments must be one JSON object.")
        properties = self.parameters["properties"]
        for name in arguments:
            if name not in properties:
                raise ArgumentError("unexpected_argument", f"There is no argument {str(name)[:60]!a}.")
        for name in self.parameters["required"]:
            if name not in arguments:
                raise ArgumentError("missing_argument", f"The argument {name!r} is missing.")
        for name, value in arguments.items():
            _check_plain(value, name, 1)
        data = orjson.dumps(dict(arguments))
        if len(data) > MAX_BYTES:
            raise ArgumentError("too_large", f"The arguments are longer than {MAX_BYTES} bytes.")
        return data

    def values(self, data: bytes) -> dict[str, Any]:
        """JSON text to fresh values for the method; nothing is coerced. Raises ArgumentError."""
        try:
            return self.adapter.validate_json(data, strict=True)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(part) for part in detail["loc"])
            raise ArgumentError("invalid_argument", f"{place}: {detail['msg']}."[:400]) from None


def _check_plain(value: Any, place: str, depth: int) -> None:
    """Only JSON, within bounds: what no tool should have to think of."""
    kind = type(value)
    if kind is str:
        if len(value) > MAX_TEXT:
            raise _wrong(place, f"at most {MAX_TEXT} characters long")
        if not value.isprintable() and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
            raise _wrong(place, "text without NUL or unpaired surrogates")
    elif kind is int:
        if not -(2**63) <= value < 2**63:
            raise _wrong(place, "a number of at most 64 bits")
    elif kind is float:
        if value - value != 0:
            raise _wrong(place, "a finite number")
    elif kind is list or kind is tuple or kind is dict:
        _check_nested(value, place, depth)
    elif kind is not bool and value is not None:
        raise _wrong(place, "JSON")


def _check_nested(value: Any, place: str, depth: int) -> None:
    if depth >= MAX_DEPTH or len(value) > _MAX_ITEMS:
        raise _wrong(place, f"at most {_MAX_ITEMS} long and {MAX_DEPTH} deep")
    if type(value) is not dict:
        for index, entry in enumerate(value):
            _check_plain(entry, f"{place}.{index}", depth + 1)
        return
    for name, entry in value.items():
        _check_plain(name, place, depth + 1)
        if type(name) is not str:
            raise _wrong(place, "an object whose keys are text")
        _check_plain(entry, f"{place}.{name[:40]}", depth + 1)


def _wrong(place: str, wanted: str) -> ArgumentError:
    return ArgumentError("invalid_argument", f"{place[:200]!a} must be {wanted}.")


def signatures(toolkit: type) -> dict[str, Signature]:
    """The marked methods of a class, by name, in the order in which they are written. Raises ToolkitError."""
    found: dict[str, Signature] = {}
    for owner in reversed(toolkit.__mro__):
        for name, member in vars(owner).items():
            function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
            if callable(function) and isinstance(getattr(function, MARK, None), Mark):
                found.pop(name, None)
                found[name] = read_signature(function)
    if not found:
        raise ToolkitError(f"{toolkit.__name__}: has no tools; mark its methods with @tool")
    return found


def read_signature(function: Callable[..., Any]) -> Signature:
    """A marked method's signature. Raises ToolkitError that names file, line, method and parameter."""
    place = f"{_where(function)}: {function.__qualname__}"
    mark: Mark = getattr(function, MARK)
    doc = parse_docstring(function.__doc__)
    if not doc.about:
        raise ToolkitError(f"{place}: has no docstring; say in a sentence what the tool does")
    name = function.__name__
    if name.startswith("_") or name in RESERVED:
        raise ToolkitError(f"{place}: {name!r} cannot be a tool's name; call it otherwise")
    taken = [p for p in inspect.signature(function).parameters.values()][1:]
    hints = _hints(function, place)
    try:
        fields = {p.name: _field(p, hints, doc, f"{place}: parameter {p.name!r}") for p in taken}
    except (TypeError, AttributeError) as error:
        raise ToolkitError(f"{place}: its types have no JSON Schema: {error}") from None
    strangers = sorted(set(doc.arguments) - set(fields))
    if strangers:
        raise ToolkitError(f"{place}: `Args:` describes {strangers[0]!r}, which is no parameter")
    make: Any = TypedDict
    arguments = make("Arguments", fields)
    arguments.__pydantic_config__ = ConfigDict(extra="forbid")
    try:
        adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
        schema = adapter.json_schema()
    except (PydanticUserError, NameError, TypeError) as error:
        raise ToolkitError(f"{place}: its types have no JSON Schema: {str(error).splitlines()[0]}") from None
    properties = {p.name: _property(schema, p, f"{place}: parameter {p.name!r}") for p in taken}
    required = [p.name for p in taken if p.default is p.empty]
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Signature(name, doc.about, parameters, _errors(mark, doc, place), mark.read_only, adapter)


def _where(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


def _hints(function: Callable[..., Any], place: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise ToolkitError(f"{place}: its annotations cannot be read: {error}; import the types at the top of the file") from None


def _field(parameter: inspect.Parameter, hints: Mapping[str, Any], doc: Docstring, place: str) -> Any:
    """The entry of one parameter in the arguments' TypedDict."""
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise ToolkitError(f"{place}: agents pass arguments by name; use no *, ** or / for it")
    if parameter.name not in hints:
        raise ToolkitError(f"{place}: has no type; annotate it, as in `{parameter.name}: str`")
    if not doc.arguments.get(parameter.name):
        raise ToolkitError(f"{place}: is not described; add `{parameter.name}: what it is` under `Args:` in the docstring")
    optional = parameter.default is not parameter.empty
    hint = _without_none(hints[parameter.name])
    if hint is not hints[parameter.name] and not optional:
        raise ToolkitError(f"{place}: may be None, so give it a default: `{parameter.name}: … | None = None`")
    annotated: Any = Annotated
    wrapped: Any = NotRequired if optional else Required
    return wrapped[annotated[hint, Field(description=doc.arguments[parameter.name])]]


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`; agents leave the argument out rather than send null."""
    if get_origin(hint) not in (Union, UnionType) or NoneType not in get_args(hint):
        return hint
    left = tuple(argument for argument in get_args(hint) if argument is not NoneType)
    return functools.reduce(operator.or_, left)


def _property(schema: Mapping[str, Any], parameter: inspect.Parameter, place: str) -> dict[str, Any]:
    found = plain_schema(schema["properties"][parameter.name], schema.get("$defs", {}), place)
    if not isinstance(found.get("type"), str):
        raise ToolkitError(f"{place}: is of several types; give it one, or Optional with a default")
    default = parameter.default
    if type(default) in (str, int, float, bool):
        found["default"] = default
    return found


def _errors(mark: Mark, doc: Docstring, place: str) -> dict[str, str]:
    errors = {code: words for code, words in doc.raises.items() if code[0].islower()} | dict(mark.errors)
    for code, words in errors.items():
        if not CODE.fullmatch(code) or not words.strip():
            raise ToolkitError(f"{place}: the documented error {code!r} needs a code in lower case and a sentence")
    return errors
