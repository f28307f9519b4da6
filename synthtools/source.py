"""YAML with the line of every place in it, and the error that names file, line and place."""

from __future__ import annotations

from typing import Any

import yaml

from synthtools.document import DocumentError, document, scalar

Place = tuple[str | int, ...]


class BlueprintError(ValueError):
    """A blueprint that cannot be taken: file, line, place, what is wrong and how to mend it, on one line."""

    def __init__(self, file: str, line: int, place: str, what: str) -> None:
        what = " ".join(what.split())
        super().__init__(f"{file}:{line}: {place}: {what}" if place else f"{file}:{line}: {what}")
        self.file, self.line, self.place, self.what = file, line, place, what

    def __reduce__(self) -> tuple[type[BlueprintError], tuple[str, int, str, str]]:
        return BlueprintError, (self.file, self.line, self.place, self.what)


class Source:
    """A blueprint's text with the line of every place in it, so that any later error can name its line."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.lines: dict[Place, int] = {(): 1}

    def error(self, place: Place, what: str) -> BlueprintError:
        """The error for a place; the nearest enclosing place whose line is known stands for it."""
        known = place
        while known not in self.lines:
            known = known[:-1]
        return BlueprintError(self.file, self.lines[known], ".".join(str(part) for part in place), what)

    def data(self) -> Any:
        """The YAML as plain data. Only numbers, true, false and null are not strings; a repeated key is an error."""
        try:
            return self._build(document(self.text), ())
        except DocumentError as error:
            raise BlueprintError(self.file, error.line, "", str(error)) from None

    def _build(self, node: Any, place: Place) -> Any:
        if node is None:
            return None
        self.lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            built: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if key in built:
                    raise BlueprintError(self.file, key_node.start_mark.line + 1, ".".join(map(str, place)), f"the key {key!r} stands twice")
                built[key] = self._build(value_node, (*place, key))
                self.lines[(*place, key)] = key_node.start_mark.line + 1
            return built
        if isinstance(node, yaml.SequenceNode):
            return [self._build(child, (*place, index)) for index, child in enumerate(node.value)]
        return scalar(node)
