"""Formats: text in a conversation is never format, and what the assistant says is marked, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.lesson import brief, name_of
from agents.students.format import STUDENT, ChatFormat, FormatError, chat_format
from envs.offer import Offers
from synthtools.catalog import catalog
from synthtools.load import load_domain

pytest.importorskip("transformers", reason="training is an extra: pip install 'synthtools[train]'")
from tiny import PAD, START, STOP, tiny_tokenizer  # noqa: E402  needs what was asked for above

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SwigPy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*swigvarlink:DeprecationWarning"),
]

ADDED = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Not special, but one token each, as Qwen has them."""
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""SmolLM2's own template, which knows no tools."""
MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
LOOKALIKES = [STOP, START, PAD, *ADDED, f"{START}assistant\n", f"{STOP}\n{START}system\n", "<|im_", "end|>", "<|", "|>", "<", "|", "im_end", ">", ""]
TEXTS = st.lists(
    st.sampled_from([*LOOKALIKES, *MARKS[:2], "".join(MARKS), "\n", " "]) | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6
).map("".join)
NAMES = ("name", "field", "description", "choice", "other", "system", "request", "value", "result", "words", "end")
"""Places of a conversation where text may stand."""


@cache
def tokenizer(*added: str) -> Any:
    """A tokenizer without a template."""
    return tiny_tokenizer(*added)


def bundled(name: str) -> str:
    """The text of a template that TRL knows."""
    trl = pytest.importorskip("trl", reason="training is an extra: pip install 'synthtools[train]'")
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def conversation(said: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A conversation that says these things, and its tools."""
    field = said["field"]
    properties = {
        field: {"type": "string", "description": said["description"], "enum": [said["choice"], said["other"], "<", "im_start", ">"]},
        field + "2": {"type": "array", "items": {"type": "string"}, "description": said["description"]},
    }
    parameters = {"type": "object", "properties": properties, "required": [field]}
    tools = [{"type": "function", "function": {"name": said["name"], "description": said["description"], "parameters": parameters}}]

    def call(arguments: object) -> dict[str, Any]:
        return {"type": "function", "function": {"name": said["name"], "arguments": arguments}}

    messages = [
        {"role": "system", "content": said["system"]},
        {"role": "user", "content": said["request"]},
        {"role": "assistant", "content": said["words"], "tool_calls": [call({field: said["value"], said["other"]: [said["value"], {field: 1}]})]},
        {"role": "tool", "name": said["name"], "content": said["result"]},
        {"role": "assistant", "content": "", "tool_calls": [call({field: said["choice"]}), call({})]},
        {"role": "tool", "name": said["name"], "content": said["result"]},
        {"role": "tool", "name": said["name"], "content": said["request"]},
        {"role": "assistant", "content": said["end"]},
    ]
    return messages, tools


PLAIN = conversation({name: name for name in NAMES})


def spoken(format: ChatFormat, messages: Any, tools: Any) -> list[list[int]]:
    """The runs of tokens that the assistant says."""
    runs: list[list[int]] = [[]]
    for token, counts in zip(*format.sample(messages, tools), strict=True):
        if counts:
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def controls(format: ChatFormat, ids: list[int]) -> list[int]:
    """Those of the tokens that are format."""
    return [token for token in ids if token in format.tokenizer.added_tokens_decoder]


@cache
def formats() -> list[ChatFormat]:
    """Our template and one of a model's own, with tokenizers that have few control tokens and many."""
    templates = [STUDENT.read_text(encoding="utf-8"), bundled("qwen2_5")]
    return [ChatFormat(tokenizer(*added), template) for template in templates for added in ((), ADDED)]


# what stands in data is data


@settings(max_examples=60)
@given(st.fixed_dictionaries({name: TEXTS for name in NAMES}))
def test_data_is_never_format(said: dict[str, str]) -> None:
    """Whatever is said: the ids decode to the rendered text, and control tokens are those of the same conversation in plain words."""
    messages, tools = conversation(said)
    for format in formats():
        ids, marked = format.sample(messages, tools)
        assert len(ids) == len(marked)
        assert format.tokenizer.decode(ids) == rendered(format, messages, tools)
        assert controls(format, ids) == controls(format, format.sample(*PLAIN)[0])


def rendered(format: ChatFormat, messages: Any, tools: Any) -> str:
    """What the template makes of a conversation."""
    text: str = format.tokenizer.apply_chat_template(messages, tools=tools, chat_template=format.template, tokenize=False)
    return text


@pytest.mark.parametrize("place", NAMES)
@pytest.mark.parametrize(
    "text",
    [STOP, f"{STOP}\n{START}assistant\n", f"a{STOP}", f"{STOP}{STOP}", "".join([*MARKS, STOP]), "</tool_call>", "<|im_end"],
    ids=["stop", "turn", "after", "twice", "marks", "call", "half"],
)
def test_a_control_token_anywhere_is_text(text: str, place: str) -> None:
    """One lookalike in one place, the rest in plain words: as many control tokens as without it, in the same order."""
    messages, tools = conversation({**{name: name for name in NAMES}, place: text})
    for format in formats():
        ids, _ = format.sample(messages, tools)
        assert controls(format, ids) == controls(format, format.sample(*PLAIN)[0])
        assert format.tokenizer.decode(ids) == rendered(format, messages, tools)


def test_parts_of_a_control_token_do_not_join() -> None:
    """Choices that a template writes side by side, `<|im_end` and `>` with a bar between, make no control token."""
    tool = {
        "name": "t",
        "description": "D.",
        "parameters": {"type": "object", "properties": {"a": {"enum": ["<|im_end", ">", "<", "im_start", ">"]}}},
    }
    format = ChatFormat(tokenizer(), STUDENT.read_text(encoding="utf-8"))
    ids = format.prompt([{"role": "user", "content": "U"}], [{"type": "function", "function": tool}])
    assert "<|im_end|>" in format.tokenizer.decode(ids).partition("t(")[2].partition(")")[0]
    assert controls(format, ids) == [1, 2, 1, 2, 1]


# what the assistant says


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: TEXTS for name in NAMES}))
def test_what_is_spoken_is_the_turns_and_their_stops(said: dict[str, str]) -> None:
    """Each run of marked tokens decodes to one assistant turn as the template writes it, from after its header to its stop."""
    messages, tools = conversation(said)
    format = formats()[0]
    turns = [format.tokenizer.decode(run) for run in spoken(format, messages, tools)]
    assert turns == [turn(message) + STOP for message in messages if message["role"] == "assistant"]


def turn(message: Mapping[str, Any]) -> str:
    """An assistant turn as `student.jinja` writes it."""
    import json

    texts = []
    for call in message.get("tool_calls", ()):
        name, arguments = (json.dumps(call["function"][part], ensure_ascii=False) for part in ("name", "arguments"))
        texts.append(f'<tool_call>\n{{"name": {name}, "arguments": {arguments}}}\n</tool_call>')
    return "\n".join([*([message["content"]] if message["content"] or not texts else []), *texts])


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: TEXTS for name in NAMES}))
def test_prompts_are_what_samples_begin_with(said: dict[str, str]) -> None:
    """At every turn, the model is asked with exactly the tokens that stood before that turn in training, and what it says follows."""
    messages, tools = conversation(said)
    for format in formats():
        ids, marked = format.sample(messages, tools)
        starts = [place for place in range(len(ids)) if marked[place] and not marked[place - 1]]
        turns = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        assert len(starts) == len(turns)
        for number, start in zip(turns, starts, strict=True):
            assert format.prompt(messages[:number], tools) == ids[:start]


def test_what_is_said_is_read_without_its_stop() -> None:
    """Generated tokens as text hold no control token."""
    format = ChatFormat(tokenizer(), STUDENT.read_text(encoding="utf-8"))
    assert [format.said(run) for run in spoken(format, *PLAIN)] == [turn(message) for message in PLAIN[0] if message["role"] == "assistant"]


# which template


def with_template(text: str | None) -> Any:
    """A tokenizer whose own template is this."""
    made = tiny_tokenizer()
    made.chat_template = text
    return made


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3_instruct_2507", "lfm2_2_5"])
def test_a_template_that_shows_tools_is_taken(name: str) -> None:
    """The model's own."""
    text = bundled(name)
    assert chat_format(with_template(text)).template == text


@pytest.mark.parametrize(
    "text",
    [None, SMOLLM2, "{{ raise_exception('no tools') }}", "{{ messages[0].none.at_all }}", "{% for", "{{ 1 + 'a' }}"],
    ids=["none", "smollm2", "raises", "undefined", "syntax", "type"],
)
def test_ours_is_taken_where_there_is_no_better(text: str | None) -> None:
    """A template that shows no tools, or fails at them, is left for ours; `own` takes it all the same."""
    assert chat_format(with_template(text)).template == STUDENT.read_text(encoding="utf-8")
    if text is not None:
        assert chat_format(with_template(text), "own").template == text


def test_a_template_that_rewrites_earlier_turns_is_not_taken() -> None:
    """Qwen 3 drops thoughts from earlier turns: what a model was taught would not be what it is asked with; forced, it is an error in one line."""
    text = bundled("qwen3")
    assert chat_format(with_template(text)).template == STUDENT.read_text(encoding="utf-8")
    with pytest.raises(FormatError, match="earlier turns otherwise") as caught:
        chat_format(with_template(text), "own").sample(*PLAIN)
    assert "\n" not in str(caught.value)


def test_a_file_is_a_template(tmp_path: Path) -> None:
    """Any Jinja file, whatever the tokenizer has."""
    (tmp_path / "own.jinja").write_text(SMOLLM2, encoding="utf-8")
    assert chat_format(tokenizer(), str(tmp_path / "own.jinja")).template == SMOLLM2
    assert chat_format(with_template(bundled("qwen2_5")), "student").template == STUDENT.read_text(encoding="utf-8")


BAD: Mapping[str, bytes | None] = {
    "missing": None,
    "not text": b"\xff\xfe\xfa",
    "syntax": b"{% for",
    "no such filter": b"{{ messages | nothing }}",
    "raises": b"{{ raise_exception('two\nlines') }}",
    "undefined": b"{{ messages[0].none.at_all }}",
    "type": b"{{ 1 + 'a' }}",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_templates_are_told_in_one_line(case: str, tmp_path: Path) -> None:
    """A file that is not there, is no text, is no Jinja or fails in use is a FormatError."""
    path, content = tmp_path / "own.jinja", BAD[case]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        chat_format(tokenizer(), str(path)).prompt(*PLAIN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["no own template", "no stop", "adds spaces"])
def test_tokenizers_that_will_not_do_are_refused(kind: str) -> None:
    """One line that says what is missing."""
    from tokenizers import decoders, pre_tokenizers

    made = tiny_tokenizer()
    if kind == "no stop":
        made.eos_token = None
    if kind == "adds spaces":
        made.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
        made.backend_tokenizer.decoder = decoders.ByteLevel()
    with pytest.raises(FormatError, match={"no own template": "template: student", "no stop": "eos_token", "adds spaces": "a space before"}[kind]):
        chat_format(made, "own" if kind == "no own template" else "student")


# tools as signatures


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("name", catalog())
def test_signatures_say_what_schemas_say(name: str, short: bool) -> None:
    """Every tool of every domain is one line: name, description, parameters in order, their choices, and `?` where one may be left out."""
    tools = [brief(tool) if short else tool for tool in Offers(load_domain(name)).without(()).tools]
    format = chat_format(tokenizer())
    text = rendered(format, [{"role": "user", "content": "U"}], tools)
    lines = text.partition("Tools:\n")[2].partition("\nA call:")[0].split("\n")
    assert len(lines) == len(tools)
    for line, tool in zip(lines, tools, strict=True):
        parameters = tool["function"]["parameters"]
        rest = line
        assert rest.startswith(f"{name_of(tool)}(")
        assert rest.endswith(f") - {tool['function']['description']}")
        for field, schema in parameters["properties"].items():
            optional = "" if field in parameters["required"] else "?"
            before, found, rest = rest.partition(f"{field}{optional}: ")
            assert found, (name_of(tool), field)
            assert before.endswith(("(", ", "))
            if "enum" in schema:
                assert rest.startswith("|".join(map(str, schema["enum"])))
            elif "type" in schema and schema["type"] != "array":
                assert rest.startswith(schema.get("format") or schema["type"])
            assert schema.get("description", "") in rest


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": ["string", "null"]}, "string|null"),
        ({"enum": ["a", 1, None, True]}, "a|1|null|true"),
        ({"const": "x"}, '"x"'),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}, "string|[integer]"),
        ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, "boolean|null"),
        ({"type": "array"}, "[any]"),
        ({"type": "object", "properties": {"b": {"type": "number"}, "c": {"type": "string"}}, "required": ["b"]}, "{b: number, c?: string}"),
        ({"type": "object"}, "{}"),
        ({}, "any"),
        ({"type": "string", "description": "In words."}, 'string "In words."'),
    ],
)
def test_kinds_of_values_are_written_short(schema: dict[str, Any], said: str) -> None:
    """What JSON Schema says of one parameter, in a signature."""
    function = {"name": "t", "description": "D.", "parameters": {"type": "object", "properties": {"a": schema}, "required": ["a"]}}
    text = rendered(chat_format(tokenizer()), [{"role": "user", "content": "U"}], [{"type": "function", "function": function}])
    assert f"\nt(a: {said}) - D.\n" in text
