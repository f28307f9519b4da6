"""Tool calls, read out of the text that a language model generated.

Where markup says that there is a call (`<tool_call>`, `<function=…>`, `[TOOL_CALLS]`, `<|python_tag|>`, a `tool_code` fence) there is one,
readable or malformed: what markup holds is taken as a whole. Without markup, JSON in the shape of a call is one in a code fence and at
either end of the text, and `f(a=1)` is one on a line of its own there, if the tool is on offer; a list of such that is all there is needs
no offer. What looks like markup within an argument is data, and what is thought (`<think>`) is neither said nor done.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from agents.students.loose import skip_space
from agents.students.markup import Calls, name_of, read_marked, read_python, read_unmarked
from synthtools.tool import ToolCall

PATIENCE = 50
"""Unreadable things after which the rest is text: reading stays linear in its length."""
_NAME = r"[^\W\d][\w.-]*+"
_OPEN = r"<tool_call>|<\|tool_call\|>|<\|tool_call_start\|>"
_CLOSE = r"</tool_call>|<\|/tool_call\|>|<\|tool_call_end\|>"
_MARK = re.compile(
    rf"(?P<think></?think>)|(?P<tag>{_OPEN})|(?P<function><function=)|(?P<mistral>\[TOOL_CALLS\])|(?P<llama><\|python_tag\|>)"
    rf"|(?P<fence>```(?:tool_code|tool_calls?)[ \t]*\n)|(?P<block>```(?:json|python|py)?[ \t]*\n)|(?P<stray>{_CLOSE}|</function>|\[/TOOL_CALLS\])"
    rf"|(?P<json>\{{(?=\s*[\"'])|\[(?=\s*\{{))|(?P<python>(?:^|(?<=</think>))[ \t]*(?:\[\s*)?{_NAME}(?=\())",
    re.MULTILINE,
)
_FINAL = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|return|>", "</s>")
"""What may stand at the end of a generation and says nothing."""
_FINAL_BACKWARDS = re.compile(rf"(?:\s|{'|'.join(re.escape(final[::-1]) for final in _FINAL)})*+")
_TAIL = re.compile(rf"\s*+(?:}}\s*+)?(?:(?:{_CLOSE})\s*+)?\Z")
_LINE = re.compile(r"[ \t;]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a generated text says and calls."""

    text: str
    """What was said beside the calls."""
    calls: tuple[ToolCall, ...]
    """In order; the `arguments` of one that is malformed are the text as it stood, its `name` what can be seen of it."""
    malformed: int
    """How many of them could not be read."""


class _Ends:
    """How what one kind of markup holds comes to its end: by what shuts it, or what comes next."""

    def __init__(self, shut: str, following: str) -> None:
        self._after = re.compile(rf"\s*+(?:[}}\]]\s*+)?(?:{shut}|(?={following})|\Z)")
        self._edge = re.compile(rf"(?P<shut>{shut})|{following}|\Z")

    def accept(self, text: str, at: int) -> int:
        """Where the markup ends whose calls end at `at`; ValueError if it holds more than them."""
        if after := self._after.match(text, at):
            return after.end()
        edge = self._edge.search(text, at)
        if text.startswith(("{", "[", "}", "]"), skip_space(text, at)) or (edge and edge["shut"]):
            raise ValueError(f"more than calls at {at}")
        return at

    def give_up(self, text: str, at: int) -> tuple[int, int]:
        """Where the unreadable ends, and where the markup around it does."""
        edge = self._edge.search(text, at)
        if edge is None:
            return len(text), len(text)
        return edge.start(), edge.end() if edge["shut"] else edge.start()


_ENDS = {
    "tag": _Ends(_CLOSE, _OPEN),
    "function": _Ends("</function>", rf"<function=|{_OPEN}|{_CLOSE}"),
    "mistral": _Ends(r"\[/TOOL_CALLS\]", r"\[TOOL_CALLS\]"),
    "llama": _Ends(r"<\|eom_id\|>|<\|eot_id\|>", r"<\|python_tag\|>"),
    "fence": _Ends("```", "(?!)"),
    "block": _Ends("```", "(?!)"),
    "json": _Ends(_CLOSE, _OPEN),
}


def read_calls(text: str, names: Collection[str] = ()) -> Reading:
    """What `text` says and calls where the tools of these `names` are on offer; no text makes it raise."""
    reader = _Reader(text[: _end(text)], frozenset(names))
    reader.read()
    return Reading("".join(reader.said).strip(), tuple(reader.calls), reader.malformed)


def _end(text: str) -> int:
    final = _FINAL_BACKWARDS.match(text[::-1])
    return len(text) - (final.end() if final else 0)


class _Reader:
    """One pass over a text, from mark to mark."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self.said: list[str] = []
        self.calls: list[ToolCall] = []
        self.malformed = 0
        self._text = text
        self._names = names
        self._failures = 0
        self._clear(0)

    def read(self) -> None:
        at = 0
        while self._failures < PATIENCE and (mark := _MARK.search(self._text, at)):
            at = self._step(mark)
        self.said.append(self._text[self._from :])

    def _step(self, mark: re.Match[str]) -> int:
        """Deal with a mark; where to look for the next."""
        kind = mark.lastgroup or ""
        if kind == "think":
            return self._think(mark)
        if kind == "stray":
            return self._take([], mark.start(), mark.end())
        if kind == "json":
            return self._json(mark)
        if kind == "python":
            return self._python(mark)
        return self._block(mark) if kind == "block" else self._marked(mark, kind)

    def _clear(self, at: int) -> None:
        """Forget all before `at`: it was thought."""
        self.said.clear()
        self.calls.clear()
        self.malformed = 0
        self._spoken = False
        self._from, self._first = at, skip_space(self._text, at)

    def _take(self, calls: list[ToolCall], start: int, end: int) -> int:
        """Keep what was said up to `start`, and these calls for what stands from there to `end`."""
        self.said.append(self._text[self._from : start])
        self._spoken |= start > self._first
        self.calls += calls
        self._from, self._first = end, skip_space(self._text, end)
        return end

    def _lose(self, kind: str, mark: re.Match[str], at: int) -> int:
        """Keep what stands at `at` as a malformed call."""
        self.malformed += 1
        edge, end = _ENDS[kind].give_up(self._text, mark.end())
        raw = self._text[at:edge].strip()
        return self._take([ToolCall(name_of(raw), raw)], mark.start(), end)

    def _think(self, mark: re.Match[str]) -> int:
        if mark[0] == "</think>":
            self._clear(mark.end())
            return mark.end()
        end = self._text.find("</think>", mark.end())
        return self._take([], mark.start(), end + len("</think>") if end >= 0 else len(self._text))

    def _marked(self, mark: re.Match[str], kind: str) -> int:
        at = mark.start() if kind == "function" else mark.end()
        try:
            calls, end = read_marked(self._text, at)
            if not calls:
                raise ValueError("not a call")
            return self._take(calls, mark.start(), _ENDS[kind].accept(self._text, end))
        except ValueError:
            self._failures += 1
            return self._lose(kind, mark, at)

    def _try(self, start: int) -> Calls:
        """The calls at `start` that need no markup; the end is 0 if nothing can be read there."""
        try:
            return read_unmarked(self._text, start, self._names)
        except ValueError:
            self._failures += 1
            return [], 0

    def _block(self, mark: re.Match[str]) -> int:
        calls, end = self._try(mark.end())
        try:
            return self._take(calls, mark.start(), _ENDS["block"].accept(self._text, end)) if calls else mark.end()
        except ValueError:
            return mark.end()

    def _json(self, mark: re.Match[str]) -> int:
        calls, end = self._try(mark.start())
        first = mark.start() <= self._first and not self._spoken
        tail = _TAIL.match(self._text, end) if end else None
        if calls and (first or tail):
            return self._take(calls, mark.start(), tail.end() if tail else end)
        if first and not calls and name_of(self._text[mark.start() : mark.start() + 1000]) in self._names:
            return self._lose("json", mark, mark.start())
        return max(end, mark.end())

    def _python(self, mark: re.Match[str]) -> int:
        listed = mark[0].lstrip().startswith("[")
        if not listed and mark[0].strip() not in self._names:
            return mark.end()
        try:
            calls, end = read_python(self._text, skip_space(self._text, mark.start()))
        except ValueError:
            self._failures += 1
            return mark.end()
        first = mark.start() <= self._first and not self._spoken
        tail = _TAIL.match(self._text, end)
        known = all(call.name in self._names for call in calls)
        if (listed and first and tail) or (known and (tail or (first and _LINE.match(self._text, end)))):
            return self._take(calls, mark.start(), tail.end() if tail else end)
        return max(end, mark.end())
