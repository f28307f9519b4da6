"""How a model is spoken to: a conversation as token ids, with what the assistant says marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]

STUDENT = Path(__file__).with_name("student.jinja")
"""The template of models that have none for tools, SmolLM2 among them."""

_MARK = "\ufdd0"
"""A character that Unicode keeps for the inside of programs: a run of it tells data from format while a conversation is rendered."""
_PROBE_TOOL = {
    "type": "function",
    "function": {"name": "probe_tool", "description": "Probe.", "parameters": {"type": "object", "properties": {"probe_arg": {"type": "string"}}}},
}
_PROBE: Messages = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "probe_call", "arguments": {"a": "b"}}}]},
    {"role": "tool", "name": "probe_call", "content": "probe_result"},
    {"role": "assistant", "content": "probe_end"},
]


class FormatError(ValueError):
    """A tokenizer or a template that a conversation cannot be put through; the message is one line for people."""


@dataclass(frozen=True)
class ChatFormat:
    """A tokenizer and the template that it is used with."""

    tokenizer: PreTrainedTokenizerBase
    template: str
    """Jinja text, as tokenizers hold it."""

    def prompt(self, messages: Messages, tools: Tools) -> list[int]:
        """The conversation up to where the assistant's next turn begins."""
        mark, cut = self._apart(messages, tools)
        return [token for piece in self._pieces(*cut, start=True) for token in self._encode(piece, mark)]

    def sample(self, messages: Messages, tools: Tools) -> tuple[list[int], list[bool]]:
        """The whole conversation, and which of its tokens the assistant says, its stop included.

        Raises FormatError where the template writes a turn otherwise once more turns follow.
        """
        mark, (messages, tools) = self._apart(messages, tools)
        ids: list[int] = []
        spoken: list[bool] = []
        for number, piece in enumerate(self._pieces(messages, tools, start=False)):
            tokens = list(self._encode(piece, mark))
            ids += tokens
            spoken += [bool(number % 2)] * len(tokens)
        return ids, spoken

    def length(self, messages: Messages, tools: Tools) -> int:
        """About how many tokens the whole conversation takes."""
        return len(self.tokenizer.encode(self._render(messages, tools, start=False), add_special_tokens=False))

    def said(self, ids: Sequence[int]) -> str:
        """Generated tokens as text, without the stop and other control tokens."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _pieces(self, messages: Messages, tools: Tools, *, start: bool) -> list[str]:
        """The text, cut where the assistant begins and stops: what it says is at the odd places. `start`: begin one turn more."""
        whole = self._render(messages, tools, start=start)
        cuts = [0]
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                before, after = self._render(messages[:number], tools, start=True), self._render(messages[: number + 1], tools, start=False)
                if not whole.startswith(before) or not whole.startswith(after.rstrip()) or not after.startswith(before):
                    raise FormatError("the chat template writes earlier turns otherwise once more follow; give `template: student`")
                stop = after.rfind(self.stop, len(before))
                cuts += [len(before), stop + len(self.stop) if stop >= 0 else len(after)]
        return [whole[begin:end] for begin, end in pairwise([*cuts, len(whole)])]

    def _render(self, messages: Messages, tools: Tools, *, start: bool) -> str:
        try:
            text: str = self.tokenizer.apply_chat_template(
                list(messages), tools=list(tools) or None, chat_template=self.template, tokenize=False, add_generation_prompt=start
            )
        except Exception as error:  # noqa: BLE001  a template is a program of a stranger's, and raises what it likes
            raise FormatError(f"the chat template fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
        return text

    def _encode(self, piece: str, mark: str) -> Iterator[int]:
        """The tokens of a piece; what looks like a control token in the data is cut in two at its mark, and so is none."""
        for part in piece.split(mark) if mark else [piece]:
            yield from self.tokenizer.encode(part, add_special_tokens=False)

    def _apart(self, messages: Messages, tools: Tools) -> tuple[str, tuple[Messages, Tools]]:
        """A mark, and the conversation with it inside everything that is or begins like a control token; no mark where nothing does."""
        if not _holds(self._control, (messages, tools)):
            return "", (messages, tools)
        mark = _MARK
        while _holds(re.compile(mark), (messages, tools)):
            mark += _MARK
        return mark, _marked((messages, tools), self._control, mark)

    @property
    def stop(self) -> str:
        """The token that ends a turn."""
        return str(self.tokenizer.eos_token)

    @cached_property
    def _control(self) -> re.Pattern[str]:
        """The first character of whatever is, or could become at the end of a text with what the template puts after it, a control token."""
        tokens = {str(token) for token in self.tokenizer.added_tokens_decoder.values()} | set(self.tokenizer.all_special_tokens)
        kinds = []
        for first in sorted({token[0] for token in tokens if len(token) > 1}):
            rests = {token[1:] for token in tokens if token[0] == first and len(token) > 1}
            begun = set() if first.isalnum() or first.isspace() else {rest[:end] for rest in rests for end in range(len(rest))}
            ends = [rf"(?:{_any_of(begun)})\Z"] if begun else []
            kinds.append(f"{re.escape(first)}(?={'|'.join([_any_of(rests), *ends])})")
        return re.compile("|".join(kinds) or r"(?!)")


def chat_format(tokenizer: PreTrainedTokenizerBase, template: str = "auto") -> ChatFormat:
    """The format of a model: its own template where that shows tools, calls and results, else ours.

    `template`: `auto`, `own`, `student`, or the path of a Jinja file. Raises FormatError.
    """
    _refuse_unstoppable(tokenizer)
    if template == "own" and not tokenizer.chat_template:
        raise FormatError("the tokenizer has no chat template of its own; give `template: student`")
    if template == "own" or (template == "auto" and _shows_tools(tokenizer)):
        return ChatFormat(tokenizer, tokenizer.get_chat_template(tools=[_PROBE_TOOL]))
    path = STUDENT if template in ("auto", "student") else Path(template)
    try:
        return ChatFormat(tokenizer, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, ValueError) else error.strerror
        raise FormatError(f"{path}: cannot be read: {reason}; a template is `auto`, `own`, `student` or a Jinja file") from None


def _refuse_unstoppable(tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.eos_token is None:
        raise FormatError("the tokenizer names no token that ends a turn (eos_token)")
    halves = [*tokenizer.encode("a", add_special_tokens=False), *tokenizer.encode("b", add_special_tokens=False)]
    if tokenizer.decode(halves) != "ab":
        raise FormatError("the tokenizer puts a space before whatever it is given, so that turns cannot be told apart")


def _shows_tools(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer's own template lets tools, calls and results be seen, and leaves earlier turns as they were."""
    if not tokenizer.chat_template:
        return False
    own = ChatFormat(tokenizer, tokenizer.get_chat_template(tools=[_PROBE_TOOL]))
    try:
        text = "".join(own._pieces(_PROBE, [_PROBE_TOOL], start=False))
    except FormatError:
        return False
    return all(word in text for word in ("probe_tool", "probe_arg", "probe_call", "probe_result", "probe_end"))


def _any_of(words: set[str]) -> str:
    return "|".join(map(re.escape, sorted(words)))


def _holds(pattern: re.Pattern[str], value: Any) -> bool:
    if isinstance(value, str):
        return pattern.search(value) is not None
    if isinstance(value, Mapping):
        return any(_holds(pattern, key) or _holds(pattern, inner) for key, inner in value.items())
    return isinstance(value, list | tuple) and any(_holds(pattern, inner) for inner in value)


def _marked(value: Any, pattern: re.Pattern[str], mark: str) -> Any:
    if isinstance(value, str):
        return pattern.sub(lambda found: found[0] + mark, value)
    if isinstance(value, Mapping):
        return {_marked(key, pattern, mark): _marked(inner, pattern, mark) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_marked(inner, pattern, mark) for inner in value)
    return value
