"""Lessons: what a student is shown of a conversation - fewer tools in varied order, shorter schemas, names that tell nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synthtools.finish import NAME as FINISH
from synthtools.seed import derive

PROMPT = "Do what is asked by calling tools, one at a time. When nothing is left to do, call finish."
"""Said before the day and the policies to students that were taught so."""

ABILITIES = 6
"""Of those that `finish` lists, how many a brief schema keeps."""
SPARE = 2
"""Distractors that a choice of tools has at least, where the domain has so many more."""
ALWAYS = (FINISH, "respond")
"""Tools that are always shown, last."""
_LISTED = "one of: "

Tool = Mapping[str, Any]
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A conversation with the tools that it is shown with."""

    messages: Sequence[Message]
    tools: Sequence[Tool]


def called(messages: Iterable[Message]) -> list[str]:
    """The names that a conversation's calls have, each once, in order."""
    names = (call["function"]["name"] for message in messages for call in message.get("tool_calls") or ())
    return list(dict.fromkeys(names))


def choose(tools: Sequence[Tool], needed: Collection[str], most: int, rng: np.random.Generator) -> list[Tool]:
    """The needed tools and distractors, `most` in all (or the needed and `SPARE` more), in drawn order; `finish` stays last.

    Every second distractor is one whose name shares a word with a needed one, while there are such. `most` of 0: all tools.
    """
    last = [tool for tool in tools if name_of(tool) in ALWAYS]
    rest = [tool for tool in tools if name_of(tool) not in ALWAYS]
    rest = [rest[int(index)] for index in rng.permutation(len(rest))]
    if most:
        chosen = [tool for tool in rest if name_of(tool) in needed]
        words = {word for name in needed for word in name.split("_")}
        others = [tool for tool in rest if name_of(tool) not in needed]
        near = [tool for tool in others if words & set(name_of(tool).split("_"))]
        far = [tool for tool in others if not words & set(name_of(tool).split("_"))]
        wanted = max(len(chosen) + SPARE, most) - len(chosen)
        chosen += _alternating(far, near)[:wanted]
        rest = [chosen[int(index)] for index in rng.permutation(len(chosen))]
    return [*rest, *last]


def _alternating(some: Sequence[Tool], others: Sequence[Tool]) -> list[Tool]:
    paired = [tool for pair in zip(some, others, strict=False) for tool in pair]
    both = min(len(some), len(others))
    return [*paired, *some[both:], *others[both:]]


def name_of(tool: Tool) -> str:
    """The name in a schema."""
    return str(tool["function"]["name"])


def brief(tool: Tool, keep: Collection[str] = (), rng: np.random.Generator | None = None) -> Tool:
    """A schema cut to what calls cannot do without: the first sentence, names, types and choices.

    `keep`: parameters whose description stays. Of the abilities that `finish` lists it keeps `ABILITIES`, one that is in `keep` among them.
    """
    function = tool["function"]
    parameters = dict(function["parameters"])
    fields = {name: _plain(field, name in keep) for name, field in parameters.get("properties", {}).items()}
    if function["name"] == FINISH and "about" in fields:
        about = str(parameters["properties"]["about"].get("description", ""))
        fields["about"] = {**fields["about"], "description": _shorter(about, keep, rng)}
    parameters = {"type": "object", "properties": fields, "required": parameters.get("required", [])}
    description = str(function["description"]).split(". ")[0].rstrip(".")
    return {"type": "function", "function": {"name": function["name"], "description": description, "parameters": parameters}}


def _plain(field: Mapping[str, Any], described: bool) -> dict[str, Any]:
    kept = {key: field[key] for key in ("type", "enum", "const", "format") if key in field}
    for key in ("anyOf", "oneOf"):
        if key in field:
            kept[key] = [_plain(one, False) for one in field[key]]
    if "items" in field:
        kept["items"] = _plain(field["items"], False)
    if "properties" in field:
        kept["properties"] = {name: _plain(inner, False) for name, inner in field["properties"].items()}
        kept["required"] = field.get("required", [])
    if described and "description" in field:
        kept["description"] = field["description"]
    return kept


def _shorter(about: str, keep: Collection[str], rng: np.random.Generator | None) -> str:
    """What `about` may name, with some of the abilities."""
    listed = about.partition(_LISTED)[2].rstrip(".").split(", ")
    if listed == [""]:
        return about
    others = [ability for ability in listed if ability not in keep]
    drawn = others[:ABILITIES] if rng is None else [others[int(index)] for index in rng.permutation(len(others))[:ABILITIES]]
    kept = [ability for ability in listed if ability in keep][:1]
    chosen = {*kept, *drawn[: ABILITIES - len(kept)]}
    return f"the policy, or {_LISTED}{', '.join(ability for ability in listed if ability in chosen)}."


def abouts(messages: Iterable[Message]) -> list[str]:
    """What the calls of `finish` in a conversation are about."""
    found = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            arguments = call["function"]["arguments"]
            if call["function"]["name"] == FINISH and isinstance(arguments, Mapping) and arguments.get("about"):
                found.append(str(arguments["about"]))
    return found


def masked(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """The lesson with made-up names for its tools and their described parameters, in schemas and calls alike.

    After Hammer (arXiv 2410.04587): what a tool does must be read, where its name says nothing. What nothing describes keeps its name.
    """
    taken: set[str] = set()
    names = {name_of(tool): _made_up(rng, taken) for tool in lesson.tools if name_of(tool) not in ALWAYS}
    inner = {name_of(tool): _inner_names(tool, rng) for tool in lesson.tools if name_of(tool) in names}
    tools = [_masked_tool(tool, names, inner) for tool in lesson.tools]
    return Lesson([_masked_message(message, names, inner) for message in lesson.messages], tools)


def _inner_names(tool: Tool, rng: np.random.Generator) -> dict[str, str]:
    taken: set[str] = set()
    fields = tool["function"]["parameters"].get("properties", {})
    return {name: _made_up(rng, taken) for name, field in fields.items() if field.get("description")}


def _made_up(rng: np.random.Generator, taken: set[str]) -> str:
    while True:
        name = "".join("bdfgklmnprstvz"[int(rng.random() * 14)] + "aeiou"[int(rng.random() * 5)] for _ in range(2 + int(rng.random() * 2)))
        if name not in taken:
            taken.add(name)
            return name


def _masked_tool(tool: Tool, names: Mapping[str, str], inner: Mapping[str, Mapping[str, str]]) -> Tool:
    function = tool["function"]
    name = function["name"]
    if name not in names:
        return tool
    parameters = dict(function["parameters"])
    parameters["properties"] = {inner[name].get(key, key): field for key, field in parameters.get("properties", {}).items()}
    parameters["required"] = [inner[name].get(key, key) for key in parameters.get("required", ())]
    return {**tool, "function": {**function, "name": names[name], "parameters": parameters}}


def _masked_message(message: Message, names: Mapping[str, str], inner: Mapping[str, Mapping[str, str]]) -> Message:
    renamed = dict(message)
    if message.get("tool_calls"):
        renamed["tool_calls"] = [{**call, "function": _masked_call(call["function"], names, inner)} for call in message["tool_calls"]]
    if message.get("name") in names:
        renamed["name"] = names[message["name"]]
    return renamed


def _masked_call(function: Mapping[str, Any], names: Mapping[str, str], inner: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    name, arguments = function["name"], function["arguments"]
    if isinstance(arguments, Mapping) and name in inner:
        arguments = {inner[name].get(key, key): value for key, value in arguments.items()}
    return {**function, "name": names.get(name, name), "arguments": arguments}


@dataclass(frozen=True, slots=True)
class Shape:
    """How conversations are made lessons."""

    tools: int = 6
    """Shown at most, besides `finish` and any more that are needed; how many is drawn. 0: all."""
    spare: bool = True
    """Whether there are distractors at all."""
    masked: float = 0.2
    """Share of the lessons whose names are made up."""
    brief: bool = True
    """Whether schemas are cut to what calls cannot do without."""
    prompt: str = PROMPT
    lookups: bool = True
    """Whether the turns stay in which nothing but reading is done."""
    max_tokens: int = 0
    """Longer conversations lose distractors, then their last turns; 0: no bound."""


def make_lesson(messages: Sequence[Message], tools: Sequence[Tool], shape: Shape, seed: int, size: Callable[[Lesson], int]) -> Lesson | None:
    """A lesson of at most so many tokens, as `size` counts them; None where not even the first turn fits."""
    for lesson in _candidates(messages, tools, shape, seed):
        if not shape.max_tokens or size(lesson) <= shape.max_tokens:
            return lesson
    return None


def _candidates(messages: Sequence[Message], tools: Sequence[Tool], shape: Shape, seed: int) -> Iterator[Lesson]:
    """Lessons in the order of preference: with fewer and fewer distractors, then with fewer and fewer turns."""
    spoken = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    needed = called(messages)
    least = len([name for name in needed if name not in ALWAYS])
    most = least + SPARE + int(derive(seed, "tools") % (max(0, shape.tools - least - SPARE) + 1)) if shape.tools else 0
    for count in [*range(most, least + SPARE, -2), least + SPARE] if most else [0]:
        yield _lesson(messages, tools, shape, seed, count)
    for index in reversed(spoken[:-1]):
        yield _lesson(messages[: index + 1], tools, shape, seed, least + SPARE if most else 0)


def _lesson(messages: Sequence[Message], tools: Sequence[Tool], shape: Shape, seed: int, count: int) -> Lesson:
    rng = np.random.Generator(np.random.PCG64(derive(seed, "lesson") >> 11))
    needed = called(messages)
    shown = choose(tools, needed, count, rng) if shape.spare else [tool for tool in tools if name_of(tool) in {*needed, *ALWAYS}]
    first = messages[0]
    opening = [{**first, "content": f"{shape.prompt}\n\n{first['content']}".strip()}] if first["role"] == "system" else [first]
    lesson = Lesson([*opening, *messages[1:]], shown)
    hides = rng.random() < shape.masked
    if shape.brief:
        keep = abouts(messages)
        lesson = replace(lesson, tools=[brief(tool, [*keep, *(_described(tool) if hides else ())], rng) for tool in shown])
    return masked(lesson, rng) if hides else lesson


def _described(tool: Tool) -> list[str]:
    return list(tool["function"]["parameters"].get("properties", {}))
