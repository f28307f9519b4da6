"""What an author writes with: `@tool` marks a method, `Refused` is what a tool raises when it says no."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

Method = TypeVar("Method", bound=Callable[..., Any])
CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""How an error code looks: `not_pending`."""
MARK = "__synthtools_tool__"


class Refused(Exception):
    """A tool's refusal: an error code that agents can rely on, and a sentence for them. Nothing has changed then."""

    def __init__(self, code: str, message: str) -> None:
        """Raises ValueError for a code that is not lower case with underscores."""
        if not isinstance(code, str) or not CODE.fullmatch(code):
            raise ValueError(f"the error code {code!r} must be lower case, digits and underscores, like 'not_pending'")
        super().__init__(code, message)
        self.code, self.message = code, str(message)


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@tool` was told about a method."""

    read_only: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)
    """Error code → when it comes, beside those that the docstring's `Raises:` lists."""


@overload
def tool(method: Method) -> Method: ...


@overload
def tool(*, read_only: bool = False, errors: Mapping[str, str] | None = None) -> Callable[[Method], Method]: ...


def tool(method: Callable[..., Any] | None = None, *, read_only: bool = False, errors: Mapping[str, str] | None = None) -> Any:
    """Mark a method as a tool, as `@tool` or `@tool(read_only=True)`. Its signature and docstring are what agents are shown."""
    mark = Mark(read_only, dict(errors or {}))

    def marked(function: Method) -> Method:
        setattr(function, MARK, mark)
        return function

    return marked if method is None else marked(method)
