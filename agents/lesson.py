"""Lessons: what a student is shown of a conversation - fewer tools in varied order, shorter schemas, names that tell nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from agents.needs import Message, Needs, both, calls_of, needs_of
from synthtools.finish import NAME as FINISH
from synthtools.finish import finish_content
from synthtools.goal import Ending
from synthtools.seed import derive
from synthtools.wait import WAIT

PROMPT = "Do what is asked with the tools, one call at a time; then call finish."
"""Said before the day and the policies to students that were taught so."""

ABILITIES = 4
"""Of those that `finish` lists, how many a brief schema keeps."""
OPTIONAL = 4
"""Parameters that may be left out, how many a brief schema keeps."""
SPARE = 2
"""Distractors that a choice of tools has at least, where the domain has so many more."""
ALWAYS = (FINISH, "respond", WAIT.name)
"""Tools that are always shown, last."""
_LISTED = "one of: "

Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A conversation with the tools that it is shown with."""

    messages: Sequence[Message]
    tools: Sequence[Tool]


@dataclass(frozen=True, slots=True)
class Told:
    """A conversation as it is stored, with all tools that there were."""

    messages: Sequence[Message]
    tools: Sequence[Tool]
    task: Needs = Needs({})
    """What its task is about, whether the conversation calls it or not."""

    @property
    def needs(self) -> Needs:
        """Of the conversation itself, and of the task as far as its tools were there."""
        offered = {name_of(tool) for tool in self.tools}
        kept = {name: given for name, given in self.task.arguments.items() if name in offered}
        return both(needs_of(calls_of(self.messages)), Needs(kept, self.task.abouts))


def choose(tools: Sequence[Tool], needs: Needs, most: int, rng: np.random.Generator) -> list[Tool]:
    """The needed tools and distractors, `most` in all (or the needed and `SPARE` more), in drawn order; `finish` stays last.

    Every second distractor is one whose name shares a word with a needed one, while there are such. `most` of 0: all tools.
    """
    last = [tool for tool in tools if name_of(tool) in ALWAYS]
    rest = [tool for tool in tools if name_of(tool) not in ALWAYS]
    rest = [rest[int(index)] for index in rng.permutation(len(rest))]
    if most:
        chosen = [tool for tool in rest if name_of(tool) in needs.arguments]
        others = [tool for tool in rest if name_of(tool) not in needs.arguments]
        words = {word for name in needs.arguments for word in name.split("_")}
        near = [tool for tool in others if words & set(name_of(tool).split("_"))]
        far = [tool for tool in others if not words & set(name_of(tool).split("_"))]
        chosen += _alternating(far, near)[: max(SPARE, most - len(chosen))]
        rest = [chosen[int(index)] for index in rng.permutation(len(chosen))]
    return [*rest, *last]


def _alternating(some: Sequence[Tool], others: Sequence[Tool]) -> list[Tool]:
    paired = [tool for pair in zip(some, others, strict=False) for tool in pair]
    both = min(len(some), len(others))
    return [*paired, *some[both:], *others[both:]]


def name_of(tool: Tool) -> str:
    """The name in a schema."""
    return str(tool["function"]["name"])


def brief(tool: Tool, needs: Needs | None = None, rng: np.random.Generator | None = None, *, described: bool = False) -> Tool:
    """A schema cut to what calls cannot do without: the first sentence, names, types and choices.

    With `needs` and `rng` it keeps, of the parameters that may be left out, the needed ones and others drawn, `OPTIONAL` in all if the
    needed are no more; and of the abilities that `finish` lists, `ABILITIES`. `described`: parameters keep their descriptions.
    """
    function = tool["function"]
    name, parameters = function["name"], function["parameters"]
    fields = parameters.get("properties", {})
    left_out = set() if needs is None or rng is None or name in ALWAYS else _left_out(parameters, needs.arguments.get(name, frozenset()), rng)
    kept = {key: _plain(field, described) for key, field in fields.items() if key not in left_out}
    if name == FINISH and "about" in kept:
        about = str(fields["about"].get("description", ""))
        kept["about"]["description"] = _abouts(about, () if needs is None else needs.abouts, rng)
    parameters = {"type": "object", "properties": kept, "required": list(parameters.get("required", ()))}
    description = str(function["description"]).split(". ")[0].rstrip(".")
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _left_out(parameters: Mapping[str, Any], needed: Collection[str], rng: np.random.Generator) -> set[str]:
    """Parameters that may be left out, are not needed, and are too many."""
    fields = [key for key in parameters.get("properties", {}) if key not in parameters.get("required", ())]
    free = [key for key in fields if key not in needed]
    spare = max(0, OPTIONAL - (len(fields) - len(free)))
    return {free[int(index)] for index in rng.permutation(len(free))[spare:]}


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


def _abouts(about: str, needed: Collection[str], rng: np.random.Generator | None) -> str:
    """What `about` may name, in fewer words and, where chance is given, with fewer abilities."""
    listed = about.partition(_LISTED)[2].rstrip(".").split(", ")
    if listed == [""]:
        return about
    chosen = set(listed)
    if rng is not None:
        kept = [ability for ability in listed if ability in needed][:ABILITIES]
        others = [ability for ability in listed if ability not in kept]
        chosen = {*kept, *(others[int(index)] for index in rng.permutation(len(others))[: ABILITIES - len(kept)])}
    return f"the policy, or {_LISTED}{', '.join(ability for ability in listed if ability in chosen)}."


def masked(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """The lesson with made-up names for its tools and their described parameters, in schemas and calls alike.

    After Hammer (arXiv 2410.04587): what a tool does must be read, where its name says nothing. What nothing describes keeps its name.
    """
    taken = {name_of(tool) for tool in lesson.tools}
    names = {name_of(tool): _made_up(rng, taken) for tool in lesson.tools if name_of(tool) not in ALWAYS}
    inner = {name_of(tool): _inner_names(tool, rng) for tool in lesson.tools if name_of(tool) in names}
    tools = [_masked_tool(tool, names, inner) for tool in lesson.tools]
    return Lesson([_masked_message(message, names, inner) for message in lesson.messages], tools)


def _inner_names(tool: Tool, rng: np.random.Generator) -> dict[str, str]:
    fields = tool["function"]["parameters"].get("properties", {})
    taken = set(fields)
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
    whole: bool = False
    """Whether a conversation is left out rather than losing turns."""
    requests: int = 1
    """Conversations of one opening that follow one another in a lesson, at most: each is a distraction for the others."""


def joined(conversations: Sequence[Told]) -> Told | None:
    """Several conversations of one opening as one: a request follows the end of the last. None where a tool that one needs is not in all."""
    shared = set.intersection(*({name_of(tool) for tool in told.tools} for told in conversations))
    needs = reduce(both, (told.needs for told in conversations))
    if not needs.arguments.keys() <= shared:
        return None
    messages = list(conversations[0].messages)
    for told in conversations[1:]:
        messages += [*_closed(messages[-1]), *told.messages[1:]]
    return Told(messages, [tool for tool in conversations[0].tools if name_of(tool) in shared], needs)


def _closed(last: Message) -> Iterator[Message]:
    """What the environment says to the call of `finish` that is a last turn."""
    for call in last.get("tool_calls") or ():
        function = call["function"]
        outcome = function["arguments"].get("outcome") if isinstance(function["arguments"], Mapping) else None
        content = finish_content(Ending(None, outcome or "done"))
        yield {"role": "tool", "tool_call_id": call.get("id", ""), "name": function["name"], "content": content}


def make_lesson(told: Told, shape: Shape, seed: int, size: Callable[[Lesson], int]) -> Lesson | None:
    """A lesson of at most so many tokens, as `size` counts them; None where not even the first turn fits, or not all when `whole`."""
    for lesson in _candidates(told, shape, seed):
        if not shape.max_tokens or size(lesson) <= shape.max_tokens:
            return lesson
    return None


def _candidates(told: Told, shape: Shape, seed: int) -> Iterator[Lesson]:
    """Lessons in the order of preference: with fewer and fewer distractors, then with fewer and fewer turns."""
    spoken = [index for index, message in enumerate(told.messages) if message["role"] == "assistant"]
    least = sum(name not in ALWAYS for name in told.needs.arguments) + SPARE
    most = least + int(derive(seed, "tools") % (max(0, shape.tools - least) + 1)) if shape.tools else 0
    for count in [*range(most, least, -2), least] if most else [0]:
        yield _lesson(told, shape, seed, count)
    for index in reversed(() if shape.whole else spoken[:-1]):
        yield _lesson(replace(told, messages=told.messages[: index + 1]), shape, seed, 1 if most else 0)


def _lesson(told: Told, shape: Shape, seed: int, count: int) -> Lesson:
    """`count`: tools at most, or the needed and `SPARE` more; 0: all."""
    rng = np.random.Generator(np.random.PCG64(derive(seed, "lesson") >> 11))
    hides = rng.random() < shape.masked and not names_told(told.messages)
    needs = told.needs
    shown = choose(told.tools, needs, count, rng) if shape.spare else [tool for tool in told.tools if name_of(tool) in {*needs.arguments, *ALWAYS}]
    if shape.brief:
        shown = [brief(tool, needs, rng, described=hides and name_of(tool) not in ALWAYS) for tool in shown]
    lesson = Lesson(prompted(told.messages, shape.prompt), shown)
    return masked(lesson, rng) if hides else lesson


def names_told(messages: Sequence[Message]) -> bool:
    """Whether an error speaks of a called tool or of an argument by its name."""
    errors = [str(message["content"]) for message in messages if message["role"] == "tool" and '"error"' in str(message["content"])]
    names = {word for name, given in (calls_of(messages) if errors else ()) for word in (name, *(f"'{key}'" for key in given))}
    return any(name in error for error in errors for name in names - set(ALWAYS))


def prompted(messages: Sequence[Message], prompt: str) -> list[Message]:
    """The conversation with the prompt before the words of its opening."""
    first = messages[0]
    if first["role"] != "system":
        return [{"role": "system", "content": prompt}, *messages] if prompt else list(messages)
    return [{**first, "content": f"{prompt}\n\n{first['content']}".strip()}, *messages[1:]]
