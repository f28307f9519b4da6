"""Calls are read out of generated text in every form that models write them, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.students.calls import Reading, read_calls
from agents.students.loose import plain_value, read_value
from synthtools.tool import ToolCall

NAMES = ("get_stay", "check_out", "finish")
STAY = ToolCall("get_stay", {"stay_id": "S-1"})
OUT = ToolCall("check_out", {"stay_id": "S-1", "kwh": 271})
STAY_JSON = '{"name": "get_stay", "arguments": {"stay_id": "S-1"}}'
OUT_JSON = '{"name": "check_out", "arguments": {"stay_id": "S-1", "kwh": 271}}'
CODER = "<function=check_out>\n<parameter=stay_id>\nS-1\n</parameter>\n<parameter=kwh>\n271\n</parameter>\n</function>"

READ: dict[str, tuple[str, str, list[ToolCall]]] = {
    "hermes": (f"<tool_call>\n{STAY_JSON}\n</tool_call>", "", [STAY]),
    "hermes: words around": (f"Let me look.\n<tool_call>{STAY_JSON}</tool_call>\nDone.", "Let me look.\n\nDone.", [STAY]),
    "hermes: several": (f"<tool_call>{STAY_JSON}</tool_call>\n<tool_call>{OUT_JSON}</tool_call>", "", [STAY, OUT]),
    "hermes: several in one tag": (f"<tool_call>\n{STAY_JSON}\n{OUT_JSON}\n</tool_call>", "", [STAY, OUT]),
    "hermes: a list in one tag": (f"<tool_call>[{STAY_JSON}, {OUT_JSON}]</tool_call>", "", [STAY, OUT]),
    "hermes: not closed": (f"<tool_call>\n{STAY_JSON}", "", [STAY]),
    "hermes: not closed, then another": (f"<tool_call>{STAY_JSON}\n<tool_call>{OUT_JSON}</tool_call>", "", [STAY, OUT]),
    "hermes: not closed, then words": (f"<tool_call>{STAY_JSON}\nI wait.", "I wait.", [STAY]),
    "hermes: not opened": (f"{STAY_JSON}\n</tool_call>", "", [STAY]),
    "hermes: the end of a turn": (f"<tool_call>{STAY_JSON}</tool_call><|im_end|>\n", "", [STAY]),
    "hermes: no arguments": ('<tool_call>{"name": "now"}</tool_call>', "", [ToolCall("now", {})]),
    "hermes: null for arguments": ('<tool_call>{"name": "now", "arguments": null}</tool_call>', "", [ToolCall("now", {})]),
    "hermes: a stranger": ('<tool_call>{"name": "fly", "arguments": {}}</tool_call>', "", [ToolCall("fly", {})]),
    "arguments as JSON text": ('<tool_call>{"name": "get_stay", "arguments": "{\\"stay_id\\": \\"S-1\\"}"}</tool_call>', "", [STAY]),
    "a tag within a string": (
        '<tool_call>{"name": "f", "arguments": {"text": "</tool_call><tool_call>"}}</tool_call>',
        "",
        [ToolCall("f", {"text": "</tool_call><tool_call>"})],
    ),
    "the last of repeated keys": ('<tool_call>{"name": "f", "arguments": {"a": 1, "a": 2}}</tool_call>', "", [ToolCall("f", {"a": 2})]),
    "comma before a bracket": ('<tool_call>{"name": "get_stay", "arguments": {"stay_id": "S-1",},}</tool_call>', "", [STAY]),
    "single quotes": ("<tool_call>{'name': 'get_stay', 'arguments': {'stay_id': 'S-1'}}</tool_call>", "", [STAY]),
    "Python's words and escapes": (
        "<tool_call>{'name': 'f', 'arguments': {'a': True, 'b': None, 'c': 'it\\'s', 'd': '\\xe9'}}</tool_call>",
        "",
        [ToolCall("f", {"a": True, "b": None, "c": "it's", "d": "é"})],
    ),
    "a line break in a string": ('<tool_call>{"name": "f", "arguments": {"a": "x\ny"}}</tool_call>', "", [ToolCall("f", {"a": "x\ny"})]),
    "a bracket too many": (f"<tool_call>{STAY_JSON}}}</tool_call>", "", [STAY]),
    "a bracket too few": (f"<tool_call>{STAY_JSON[:-1]}</tool_call>", "", [STAY]),
    "a bracket too few at the end": (f"<tool_call>{STAY_JSON[:-1]}", "", [STAY]),
    "qwen coder": (f"<tool_call>\n{CODER}\n</tool_call>", "", [OUT]),
    "qwen coder: not opened": (f"Look.\n{CODER}\n</tool_call>", "Look.", [OUT]),
    "qwen coder: several": (f"<tool_call>\n{CODER}\n</tool_call>\n<tool_call>\n{CODER}\n</tool_call>", "", [OUT, OUT]),
    "qwen coder: no arguments": ("<tool_call><function=now></function></tool_call>", "", [ToolCall("now", {})]),
    "qwen coder: function not closed": ("<tool_call><function=f><parameter=a>b</parameter></tool_call>", "", [ToolCall("f", {"a": "b"})]),
    "qwen coder: text of many lines": (
        "<tool_call><function=f><parameter=a>\n\nif </parameter> x:\n  y\n\n</parameter></function></tool_call>",
        "",
        [ToolCall("f", {"a": "\nif </parameter> x:\n  y\n"})],
    ),
    "functionary": ('<function=get_stay>{"stay_id": "S-1"}</function>', "", [STAY]),
    "functionary: not closed": ('<function=get_stay>{"stay_id": "S-1"}', "", [STAY]),
    "functionary: several": (f'Two:<function=get_stay>{{"stay_id": "S-1"}}</function>\n{CODER} Good.', "Two: Good.", [STAY, OUT]),
    "llama 3.1": ('{"name": "get_stay", "parameters": {"stay_id": "S-1"}}', "", [STAY]),
    "llama 3.1: typed": ('{"type": "function", "name": "get_stay", "parameters": {"stay_id": "S-1"}}<|eom_id|>', "", [STAY]),
    "llama 3.1: several": (f"{STAY_JSON}; {OUT_JSON}", "", [STAY, OUT]),
    "llama 3.1: python tag": (f"<|python_tag|>{STAY_JSON}; {OUT_JSON}<|eom_id|>", "", [STAY, OUT]),
    "llama 3.1: built in": ('<|python_tag|>search.call(query="x")', "", [ToolCall("search.call", {"query": "x"})]),
    "pythonic": ("[get_stay(stay_id=\"S-1\"), check_out(stay_id='S-1', kwh=271)]", "", [STAY, OUT]),
    "pythonic: values": (
        "[f(a=[1, -2.5], b={'c': None}, d=true, e=False, g=null)]",
        "",
        [ToolCall("f", {"a": [1, -2.5], "b": {"c": None}, "d": True, "e": False, "g": None})],
    ),
    "pythonic: a line at the end": ('I look it up.\nget_stay(stay_id="S-1")', "I look it up.", [STAY]),
    "pythonic: a line at the start": ('get_stay(stay_id="S-1")\nOne moment.', "One moment.", [STAY]),
    "pythonic: several lines": ('get_stay(stay_id="S-1")\ncheck_out(stay_id="S-1", kwh=271)', "", [STAY, OUT]),
    "pythonic: after a thought": ('<think>hm</think>get_stay(stay_id="S-1")', "", [STAY]),
    "pythonic: LFM2": ('<|tool_call_start|>[get_stay(stay_id="S-1")]<|tool_call_end|>', "", [STAY]),
    "mistral": (f"[TOOL_CALLS][{STAY_JSON}, {OUT_JSON}]</s>", "", [STAY, OUT]),
    "mistral: by name": ('One moment.[TOOL_CALLS]get_stay{"stay_id": "S-1"}', "One moment.", [STAY]),
    "mistral: by name, with arguments marked": (
        '[TOOL_CALLS]get_stay[ARGS]{"stay_id": "S-1"}[TOOL_CALLS]check_out[CALL_ID]aB3[ARGS]{"stay_id": "S-1", "kwh": 271}',
        "",
        [STAY, OUT],
    ),
    "a fence": (f"Here:\n```json\n{STAY_JSON}\n```\nThat is it.", "Here:\n\nThat is it.", [STAY]),
    "a fence without a language": (f"```\n{STAY_JSON}\n{OUT_JSON}\n```", "", [STAY, OUT]),
    "a fence of tool code": ('```tool_code\nget_stay(stay_id="S-1")\n```', "", [STAY]),
    "a fence of a tool call": (f"```tool_call\n{STAY_JSON}\n```", "", [STAY]),
    "glm": (
        "<tool_call>check_out\n<arg_key>stay_id</arg_key>\n<arg_value>S-1</arg_value>\n<arg_key>kwh</arg_key>\n<arg_value>271</arg_value>\n</tool_call>",
        "",
        [OUT],
    ),
    "glm: no arguments": ("<tool_call>now\n</tool_call>", "", [ToolCall("now", {})]),
    "openai": (f'{{"type": "function", "function": {STAY_JSON}}}', "", [STAY]),
    "openai: several": (f'{{"tool_calls": [{{"type": "function", "function": {STAY_JSON}}}, {OUT_JSON}]}}', "", [STAY, OUT]),
    "a bare list": (f"[{STAY_JSON}, {OUT_JSON}]", "", [STAY, OUT]),
    "bare at the end": (f"I look it up: {STAY_JSON}", "I look it up:", [STAY]),
    "bare at the start": (f"{STAY_JSON}\nI wait.", "I wait.", [STAY]),
    "bare, a stranger": ('{"name": "fly", "args": {"to": "sea"}}', "", [ToolCall("fly", {"to": "sea"})]),
    "bare, known, no arguments": ('{"name": "finish"}', "", [ToolCall("finish", {})]),
    "a tag in a bare string": ('{"name": "f", "input": {"a": "</think><tool_call>"}}', "", [ToolCall("f", {"a": "</think><tool_call>"})]),
    "thought, then done": (f"<think>Maybe <tool_call>{OUT_JSON}</tool_call>?</think>\n<tool_call>{STAY_JSON}</tool_call>", "", [STAY]),
    "a thought that the prompt opened": (f"Maybe <tool_call>{OUT_JSON}</tool_call> {{\n</think>\n{STAY_JSON}", "", [STAY]),
    "a thought that has no end": (f"Well.<think>Maybe <tool_call>{OUT_JSON}</tool_call>", "Well.", []),
    "prose": ("The stay is S-1; check_out was called (kwh=271).", "The stay is S-1; check_out was called (kwh=271).", []),
    "a call that is spoken of": ('Use get_stay(stay_id="S-1")', 'Use get_stay(stay_id="S-1")', []),
    "a call that opens a sentence": ('get_stay(stay_id="S-1") finds it.', 'get_stay(stay_id="S-1") finds it.', []),
    "an unknown function on a line": ('print(end="x")', 'print(end="x")', []),
    "JSON amid words": (f"It was {STAY_JSON} that I called.", f"It was {STAY_JSON} that I called.", []),
    "JSON that is no call": ('{"name": "Ada", "input": "x"}', '{"name": "Ada", "input": "x"}', []),
    "a name alone": ('{"name": "Ada"}', '{"name": "Ada"}', []),
    "data with a tag in it": ('Look: {"x": "<tool_call>"} is it.', 'Look: {"x": "<tool_call>"} is it.', []),
    "a schema": (
        '{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}',
        '{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}',
        [],
    ),
    "a fence of code": ("```python\nx = f(a=1)\n```", "```python\nx = f(a=1)\n```", []),
    "nothing": ("", "", []),
}

MALFORMED: dict[str, tuple[str, str, list[ToolCall]]] = {
    "no JSON": ("<tool_call>get me the stay</tool_call>", "", [ToolCall("", "get me the stay")]),
    "nothing in the tag": ("<tool_call></tool_call>", "", [ToolCall("", "")]),
    "cut off": (f"Hm.<tool_call>\n{STAY_JSON[:-3]}", "Hm.", [ToolCall("get_stay", STAY_JSON[:-3])]),
    "two brackets too few": (f"<tool_call>{STAY_JSON[:-2]}</tool_call>", "", [ToolCall("get_stay", STAY_JSON[:-2])]),
    "two brackets too many": (f"<tool_call>{STAY_JSON}}}}}</tool_call>", "", [ToolCall("get_stay", STAY_JSON + "}}")]),
    "words behind the JSON": (f"<tool_call>{STAY_JSON} ok?</tool_call>", "", [ToolCall("get_stay", STAY_JSON + " ok?")]),
    "a quote in a string": (
        "<tool_call>{'name': 'f', 'arguments': {'a': 'it's'}}</tool_call>",
        "",
        [ToolCall("f", "{'name': 'f', 'arguments': {'a': 'it's'}}")],
    ),
    "an escape without meaning": (
        '<tool_call>{"name": "f", "arguments": {"a": "\\d"}}</tool_call>',
        "",
        [ToolCall("f", '{"name": "f", "arguments": {"a": "\\d"}}')],
    ),
    "arguments that are no object": (
        '<tool_call>{"name": "f", "arguments": [1]}</tool_call>',
        "",
        [ToolCall("f", '{"name": "f", "arguments": [1]}')],
    ),
    "no name": ('<tool_call>{"arguments": {"name": "Ada"}}</tool_call>', "", [ToolCall("", '{"arguments": {"name": "Ada"}}')]),
    "a number beyond all": (
        '<tool_call>{"name": "f", "arguments": {"a": 1e999}}</tool_call>',
        "",
        [ToolCall("f", '{"name": "f", "arguments": {"a": 1e999}}')],
    ),
    "the first of two": (
        f'<tool_call>{{"name": "f", oops</tool_call><tool_call>{STAY_JSON}</tool_call>',
        "",
        [ToolCall("f", '{"name": "f", oops'), STAY],
    ),
    "a parameter without end": ("<tool_call><function=f><parameter=a>b</tool_call>", "", [ToolCall("f", "<function=f><parameter=a>b")]),
    "a function without end": ("<function=f>{'a': 1", "", [ToolCall("f", "<function=f>{'a': 1")]),
    "mistral": ("[TOOL_CALLS]f[ARGS]{oops", "", [ToolCall("f", "f[ARGS]{oops")]),
    "llama": ("<|python_tag|>print(1)", "", [ToolCall("print", "print(1)")]),
    "tool code": ("```tool_code\nx = 1\n```\nHm.", "Hm.", [ToolCall("", "x = 1")]),
    "bare, of a known tool": (
        '{"name": "get_stay", "parameters": {"stay_id": S-1}}',
        "",
        [ToolCall("get_stay", '{"name": "get_stay", "parameters": {"stay_id": S-1}}')],
    ),
}


@pytest.mark.parametrize(("text", "said", "calls"), READ.values(), ids=READ)
def test_every_form_is_read(text: str, said: str, calls: list[ToolCall]) -> None:
    """Each form gives its calls and the words beside them, each look-alike only its words."""
    assert read_calls(text, NAMES) == Reading(said, tuple(calls), 0)


@pytest.mark.parametrize(("text", "said", "calls"), MALFORMED.values(), ids=MALFORMED)
def test_what_markup_holds_and_cannot_be_read_is_malformed(text: str, said: str, calls: list[ToolCall]) -> None:
    """It is kept as it stood, counted, and its tool named where one can be seen; sound calls beside it are read."""
    assert read_calls(text, NAMES) == Reading(said, tuple(calls), 1)


@pytest.mark.parametrize("text", ['get_stay(stay_id="S-1")', '{"name": "get_stay"}', '{"name": "get_stay", "arguments": 1}'])
def test_what_only_the_offer_makes_a_call_is_text_without_it(text: str) -> None:
    """A bare line or name is a call of a tool on offer, and words where none is known."""
    assert read_calls(text) == Reading(text, (), 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("271", 271), ("-2.5", -2.5), ("true", True), ("None", None), ('["a"]', ["a"]), ('{"a": 1}', {"a": 1})]
    + [(text, text) for text in ("S-1", "0712", "1.", "-", "", "yes", '"x"', "[x", "1 2", "NaN", "1e999", " a ")],
)
def test_values_between_tags_are_text_when_in_doubt(text: str, value: Any) -> None:
    """Only what is a JSON number, list, object or word to the letter is taken for one."""
    assert (plain_value(text), type(plain_value(text))) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["{,}", "[1,,2]", "{'a' 1}", "{a: 1}", "[1 2]", "[01]", '{"a": [1}', "['\\u12']", "[1,", "['\\U00110000']", "['\\UFFFFFFFF']", "[" * 9999]
)
def test_what_could_mean_two_things_is_not_read(text: str) -> None:
    """Loose JSON has its bounds."""
    with pytest.raises(ValueError, match=r".+"):
        read_value(text)


NASTY = st.sampled_from(
    [
        "</tool_call>",
        "<tool_call>",
        "</think>",
        "<think>",
        "</function>",
        "<function=x>",
        "[TOOL_CALLS]",
        "```\n",
        "<|im_end|>",
        "\"'",
        "}}",
        "\\",
        "\n",
        "é ☃ 😀",
    ]
)
TEXT = st.lists(st.one_of(NASTY, st.text(max_size=8))).map("".join)
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
NAME = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
CALL = st.builds(ToolCall, NAME, st.dictionaries(NAME, VALUE, max_size=4))


def _items(call: ToolCall) -> list[tuple[str, Any]]:
    assert isinstance(call.arguments, dict)
    return list(call.arguments.items())


def _json(call: ToolCall, key: str = "arguments") -> str:
    return json.dumps({"name": call.name, key: call.arguments}, ensure_ascii=len(call.name) % 2 == 0)


def _pythonic(call: ToolCall) -> str:
    return f"{call.name}({', '.join(f'{key}={value!r}' for key, value in _items(call))})"


QUOTING: dict[str, Callable[[ToolCall], str]] = {
    "hermes": lambda call: f"<tool_call>\n{_json(call)}\n</tool_call>",
    "hermes, not closed": lambda call: f"<tool_call>\n{_json(call)}",
    "hermes, in Python": lambda call: f"<tool_call>{ {'name': call.name, 'arguments': call.arguments}!r}</tool_call>",
    "arguments as text": lambda call: f"<tool_call>{json.dumps({'name': call.name, 'arguments': json.dumps(call.arguments)})}</tool_call>",
    "bare": lambda call: _json(call, "args"),
    "bare, at the end": lambda call: f"I call {_json(call)}",
    "llama": lambda call: f"<|python_tag|>{_json(call, 'input')}<|eom_id|>",
    "pythonic": lambda call: f"[{_pythonic(call)}]",
    "tool code": lambda call: f"```tool_code\n{_pythonic(call)}\n```",
    "mistral": lambda call: f"[TOOL_CALLS][{_json(call)}]</s>",
    "mistral, by name": lambda call: f"[TOOL_CALLS]{call.name}[ARGS]{json.dumps(call.arguments)}",
    "fence": lambda call: f"```json\n{_json(call)}\n```",
    "functionary": lambda call: f"<function={call.name}>{json.dumps(call.arguments)}</function>",
    "openai": lambda call: json.dumps(
        {"tool_calls": [{"type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}]}
    ),
}


@pytest.mark.parametrize("render", QUOTING.values(), ids=QUOTING)
@given(call=CALL)
def test_any_call_reads_back(render: Callable[[ToolCall], str], call: ToolCall) -> None:
    """Forms that quote their strings bring every argument back, whatever looks like markup in it."""
    text = render(call)
    read = read_calls(text)
    assert (read.calls, read.malformed) == ((call,), 0)
    assert read.text == ("I call" if text.startswith("I call") else "")


def _between(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


UNQUOTING: dict[str, Callable[[ToolCall], str]] = {
    "qwen coder": lambda call: (
        f"<tool_call>\n<function={call.name}>\n"
        + "".join(f"<parameter={key}>\n{_between(value)}\n</parameter>\n" for key, value in _items(call))
        + "</function>\n</tool_call>"
    ),
    "glm": lambda call: (
        f"<tool_call>{call.name}\n"
        + "".join(f"<arg_key>{key}</arg_key>\n<arg_value>\n{_between(value)}\n</arg_value>\n" for key, value in _items(call))
        + "</tool_call>"
    ),
}
UNMISTAKABLE = VALUE.filter(lambda value: not isinstance(value, str) or plain_value(value) == value)


@pytest.mark.parametrize("render", UNQUOTING.values(), ids=UNQUOTING)
@given(call=st.builds(ToolCall, NAME, st.dictionaries(NAME, UNMISTAKABLE, max_size=4)))
def test_any_call_reads_back_from_tags(render: Callable[[ToolCall], str], call: ToolCall) -> None:
    """Forms that quote nothing bring back all but strings that look like numbers, lists, objects or words of JSON."""
    assert read_calls(render(call)) == Reading("", (call,), 0)


PIECES = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "<function=f>",
        "</function>",
        "<parameter=a>",
        "</parameter>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
    ]
    + [
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|python_tag|>",
        "```json\n",
        "```tool_code\n",
        "```",
        "<think>",
        "</think>",
        '{"name": "f", "arguments": {',
        "[f(a=",
        "f(a=",
    ]
    + [
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "'",
        ",",
        ":",
        ";",
        "=",
        "\\",
        "\\u12",
        "1",
        "-",
        "1e999",
        "9" * 5000,
        "true",
        "None",
        "\n",
        " ",
        "\ud800",
        "\x00",
        "f",
    ]
)


@given(text=st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)), names=st.sampled_from([(), ("f",)]))
def test_no_text_makes_it_raise(text: str, names: tuple[str, ...]) -> None:
    """Whatever a model generates is a reading; the malformed are those whose arguments are text."""
    read = read_calls(text, names)
    assert read.text == read.text.strip()
    assert read.malformed == sum(isinstance(call.arguments, str) for call in read.calls)


HOSTILE = [
    *("<tool_call>", "<tool_call>{", '<tool_call>{"name":"f","arguments":{"a":', '{"', "{'", '[{"a":', "[f(", "[f(a=[", "<function=", "<function=f>"),
    *(
        "<function=f><parameter=a>",
        "<tool_call>f<arg_key>a</arg_key><arg_value>",
        "[TOOL_CALLS]",
        "```json\n{",
        "```tool_code\n",
        "<think>",
        "</think>",
    ),
    *(" ", "\n", "\n[", "f(\n", "\\", '\\"', "</s>", "[", '{"a":1} ', '{"name":"f","arguments":{}}', "</tool_call>", '<tool_call>["",","', "a"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("before", ["", '<tool_call>{"name":"f","arguments":{"a":"'])
def test_a_megabyte_of_anything_is_read(before: str, piece: str) -> None:
    """No text takes time much beyond what its length takes, nor too much stack."""
    read = read_calls(before + piece * (1_000_000 // len(piece)), ("f",))
    assert read.malformed == sum(isinstance(call.arguments, str) for call in read.calls)
