"""What can be wrong with a toolkit: as it is written, and as it runs."""

from __future__ import annotations


class ToolkitError(ValueError):
    """A toolkit that cannot be taken: where, what is wrong and how to mend it, on one line."""

    def __init__(self, what: str) -> None:
        super().__init__(one_line(what, 600))


class ToolkitFault(RuntimeError):
    """A tool failed in a way that no agent is to blame for: the toolkit's mistake. The episode is lost, and is no score."""

    def __init__(self, tool: str, what: str) -> None:
        super().__init__(f"{tool}: {one_line(what)}")
        self.tool, self.what = tool, what

    def __reduce__(self) -> tuple[type[ToolkitFault], tuple[str, str]]:
        return ToolkitFault, (self.tool, self.what)


def one_line(text: str, longest: int = 300) -> str:
    """A text that may hold anything, as one printable line."""
    line = " ".join(text[: 4 * longest].split())
    return "".join(c if c.isprintable() else "?" for c in line)[:longest]
