"""Lessons: what is shown of a conversation, and that nothing that it needs is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.agent import scripted
from agents.dataset import export
from agents.lesson import (
    ABILITIES,
    ALWAYS,
    OPTIONAL,
    SPARE,
    Lesson,
    Needs,
    Shape,
    brief,
    calls_of,
    choose,
    make_lesson,
    masked,
    name_of,
    names_told,
    prompted,
)
from agents.rollout import Plan, rollout
from agents.stored import Stored
from agents.students.samples import Example, make_samples, read_examples, without_lookups
from envs.offer import Offers
from packs import small_pack
from synthtools.catalog import catalog
from synthtools.finish import NAME as FINISH
from synthtools.load import load_domain
from synthtools.pack import load_pack

PLAIN = Shape(masked=0, brief=False, prompt="", tools=0)
SEEDS = range(5)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """The solutions of the small pack, exported."""
    pack, out = load_pack(small_pack()), tmp_path_factory.mktemp("run")
    rollout(Plan(pack, (scripted("solution"),)), out)
    with Stored(out) as stored:
        export(stored, pack, out / "export")
    return read_examples(out)


def chance(seed: int) -> np.random.Generator:
    """A generator."""
    return np.random.Generator(np.random.PCG64(seed))


def words(lesson: Lesson) -> int:
    """A size that needs no tokenizer."""
    return len(repr(lesson.messages)) + len(repr(lesson.tools))


def made(row: Example, shape: Shape, seed: int = 0) -> Lesson:
    """The lesson of a conversation, which there must be."""
    lesson = make_lesson(row.told, shape, seed, words)
    assert lesson is not None
    return lesson


def shown(lesson: Lesson) -> list[str]:
    """Names of tools in their order."""
    return [name_of(tool) for tool in lesson.tools]


def fields_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a tool."""
    return dict(tool["function"]["parameters"].get("properties", {}))


# which tools


@pytest.mark.parametrize("most", [0, 1, 3, 6, 100])
def test_what_is_needed_is_shown_with_distractors_and_finish_last(most: int, rows: list[Example]) -> None:
    """Whatever the bound: all needed tools, at least `SPARE` others where the domain has them, none twice, and `finish` in the end."""
    for row in rows:
        needs = row.told.needs
        names = [name_of(tool) for tool in choose(row.told.tools, needs, most, chance(7))]
        needed = set(needs.arguments) - set(ALWAYS)
        always = len(set(names) & set(ALWAYS))
        rest = len(row.told.tools) - always - len(needed)
        assert needed <= set(names)
        assert names[-1] == FINISH
        assert len(set(names)) == len(names)
        assert len(names) - always == (len(row.told.tools) - always if not most else len(needed) + min(rest, max(SPARE, most - len(needed))))


def test_every_second_distractor_is_near(rows: list[Example]) -> None:
    """Of two distractors one shares a word with a needed tool and one does not, where there are both."""
    for row in rows:
        needs = row.told.needs
        words = {word for name in needs.arguments for word in name.split("_")}
        others = [name_of(tool) for tool in row.told.tools if name_of(tool) not in {*needs.arguments, *ALWAYS}]
        near = {name for name in others if words & set(name.split("_"))}
        if near and near != set(others):
            names = {name_of(tool) for tool in choose(row.told.tools, needs, 1, chance(3))} & set(others)
            assert (len(names & near), len(names - near)) == (1, 1)


def test_order_and_choice_come_from_the_seed(rows: list[Example]) -> None:
    """The same seed gives the same lesson, others another order and another choice."""
    row = rows[0]
    for shape in (Shape(), replace(PLAIN, tools=0)):
        lessons = [made(row, shape, seed) for seed in range(8)]
        assert lessons == [made(row, shape, seed) for seed in range(8)]
        assert len({tuple(shown(lesson)) for lesson in lessons}) > 4


@pytest.mark.parametrize("spare", [True, False])
def test_distractors_can_be_left_out(spare: bool, rows: list[Example]) -> None:
    """Without them the tools are exactly the needed ones and those always shown; a tool is never shown that the conversation's list lacks."""
    for row in rows:
        lesson = made(row, replace(PLAIN, spare=spare, tools=6))
        needed = {*row.told.needs.arguments, *({name_of(tool) for tool in row.told.tools} & set(ALWAYS))}
        assert set(shown(lesson)) <= {name_of(tool) for tool in row.told.tools}
        assert (set(shown(lesson)) == needed) == (not spare)
        assert shown(lesson)[-1] == FINISH


def test_tools_do_not_tell_whether_it_may_be_done(rows: list[Example]) -> None:
    """Whatever a task's twin calls is shown as well, where it is offered: of a refusal the tool that would act, in every lesson."""
    tasks = {task.id: task for task in load_pack(small_pack()).tasks}
    acting = 0
    for row in rows:
        twin = tasks.get(tasks[row.task].twin)
        wanted = {step.name for step in twin.solution} & {name_of(tool) for tool in row.told.tools} if twin else set()
        for seed in SEEDS:
            assert wanted <= set(shown(made(row, replace(PLAIN, tools=4), seed)))
        acting += bool(wanted - {name for name, _ in calls_of(row.told.messages)})
    assert acting > 4


# how much


def test_the_bound_holds_and_distractors_go_before_turns(rows: list[Example]) -> None:
    """At every bound: no lesson is larger; none loses a turn while it could have lost a distractor; turns go whole, from the end."""
    cut = 0
    for row in rows:
        for seed in SEEDS:
            free = made(row, PLAIN, seed)
            few = made(row, replace(PLAIN, tools=1), seed)
            for bound in range(words(free) + 100, 0, -max(1, words(free) // 12)):
                lesson = make_lesson(row.told, replace(PLAIN, tools=12, max_tokens=bound), seed, words)
                first = make_lesson(row.told, replace(PLAIN, tools=12, max_tokens=bound, whole=True), seed, words)
                if lesson is None:
                    assert first is None
                    continue
                assert words(lesson) <= bound
                assert list(lesson.messages) == list(row.told.messages[: len(lesson.messages)])
                assert lesson.messages[-1]["role"] == "assistant"
                assert (len(lesson.messages) == len(row.told.messages)) == (words(few) <= bound)
                assert first == (lesson if words(few) <= bound else None)
                cut += words(few) > bound
    assert cut > 10


def test_the_longest_that_fits_is_taken(rows: list[Example]) -> None:
    """A lesson that lost turns has lost no more than it had to: one turn more would not fit."""
    for row in rows:
        turns = [index + 1 for index, message in enumerate(row.told.messages) if message["role"] == "assistant"]
        sizes = {end: words(made(replace(row, told=replace(row.told, messages=row.told.messages[:end])), replace(PLAIN, tools=1))) for end in turns}
        for bound in sizes.values():
            lesson = made(row, replace(PLAIN, tools=1, max_tokens=bound))
            assert len(lesson.messages) == max(end for end in turns if sizes[end] <= bound)


def test_what_does_not_fit_at_all_is_none(rows: list[Example]) -> None:
    """A bound that not even the first turn keeps gives no lesson."""
    assert make_lesson(rows[0].told, Shape(max_tokens=1), 0, words) is None


# names that tell nothing


def unmasked(lesson: Lesson, original: Lesson) -> Lesson:
    """The inverse: names found by the places of tools and parameters, put back everywhere."""
    tools = {name_of(ours): name_of(theirs) for ours, theirs in zip(lesson.tools, original.tools, strict=True)}
    inner = {
        name_of(ours): dict(zip(fields_of(ours), fields_of(theirs), strict=True)) for ours, theirs in zip(lesson.tools, original.tools, strict=True)
    }
    assert all(len(set(back.values())) == len(back) for back in (tools, *inner.values()))

    def tool(found: Mapping[str, Any]) -> dict[str, Any]:
        function, back = found["function"], inner[name_of(found)]
        parameters = function["parameters"]
        renamed = {"properties": {back[key]: field for key, field in parameters["properties"].items()}}
        renamed["required"] = [back[key] for key in parameters["required"]]
        return {**found, "function": {**function, "name": tools[function["name"]], "parameters": {**parameters, **renamed}}}

    def call(found: Mapping[str, Any]) -> dict[str, Any]:
        function = found["function"]
        arguments = {inner[function["name"]][key]: value for key, value in function["arguments"].items()}
        return {**found, "function": {**function, "name": tools[function["name"]], "arguments": arguments}}

    def message(found: Mapping[str, Any]) -> dict[str, Any]:
        renamed = dict(found)
        if "tool_calls" in found:
            renamed["tool_calls"] = [call(one) for one in found["tool_calls"]]
        if "name" in found:
            renamed["name"] = tools[found["name"]]
        return renamed

    return Lesson([message(one) for one in lesson.messages], [tool(one) for one in lesson.tools])


def test_masks_hide_every_name_and_lose_nothing(rows: list[Example]) -> None:
    """No old name of a tool or of a described parameter is left in schemas, calls or results; `finish` is as it was; the inverse gives all back."""
    for row in (row for row in rows if not names_told(row.told.messages)):
        for seed in SEEDS:
            plain = made(row, replace(PLAIN, tools=8), seed)
            hidden = masked(plain, chance(seed))
            assert unmasked(hidden, plain) == plain
            old = {name_of(tool) for tool in plain.tools} - set(ALWAYS)
            used = {name for name, _ in calls_of(hidden.messages)} | {message["name"] for message in hidden.messages if "name" in message}
            assert not old & {*shown(hidden), *used}
            assert used <= set(shown(hidden))
            assert hidden.tools[-1] == plain.tools[-1]
            for ours, theirs in zip(hidden.tools, plain.tools, strict=True):
                if name_of(theirs) in ALWAYS:
                    assert ours == theirs
                    continue
                kept = {name for name, field in fields_of(theirs).items() if not field.get("description")}
                assert set(fields_of(ours)) & set(fields_of(theirs)) == kept
            for name, arguments in calls_of(hidden.messages):
                assert set(arguments) <= set(fields_of(hidden.tools[shown(hidden).index(name)]))


def test_made_up_names_are_never_ones_that_are_there() -> None:
    """A tool or a parameter that keeps its name is not hidden by a made-up one, however often that is drawn."""
    wanted = iter(["nose", "vase", "rate", "tune", "date", "tune", "fine", "date", "nose"])

    class Loaded:
        """Chance that says the words above, letter by letter."""

        def __init__(self) -> None:
            self.letters: list[float] = []

        def random(self) -> float:
            """The next letter."""
            if not self.letters:
                word = next(wanted)
                for number, letter in enumerate(word):
                    alphabet = "aeiou" if number % 2 else "bdfgklmnprstvz"
                    self.letters.append((alphabet.index(letter) + 0.5) / len(alphabet))
                self.letters.insert(0, 0.1)
            return self.letters.pop(0)

    fields = {"date": {"type": "string"}, "tune": {"type": "string", "description": "D."}}
    tools = [
        {"type": "function", "function": {"name": name, "description": "D.", "parameters": {"type": "object", "properties": fields, "required": []}}}
        for name in ("nose", "rate")
    ]
    hidden = masked(Lesson([{"role": "user", "content": "U"}], tools), Loaded())  # type: ignore[arg-type]
    assert {name_of(tool): list(fields_of(tool)) for tool in hidden.tools} == {"vase": ["date", "fine"], "tune": ["date", "nose"]}


def test_the_share_of_masked_lessons_is_the_shapes(rows: list[Example]) -> None:
    """None at 0, all at 1, about a third at a third; and what hides names shows descriptions, which must be read instead."""
    names = {name_of(tool) for tool in rows[0].told.tools}

    def hides(share: float) -> list[bool]:
        lessons = [made(rows[0], Shape(masked=share), seed) for seed in range(500)]
        return [not names & set(shown(lesson)[:-1]) for lesson in lessons]

    assert not any(hides(0.0))
    assert all(hides(1.0))
    found = hides(1 / 3)
    assert 0.27 < sum(found) / len(found) < 0.4
    lesson = made(rows[0], Shape(masked=1.0))
    assert any(field.get("description") for tool in lesson.tools[:-1] for field in fields_of(tool).values())


def test_names_that_an_error_speaks_of_are_not_hidden(rows: list[Example]) -> None:
    """A lesson whose errors name its tools or arguments keeps the names, whatever the share."""
    told = [row for row in rows if names_told(row.told.messages)]
    assert told
    for row in told:
        assert {name for name, _ in calls_of(row.told.messages)} <= set(shown(made(row, replace(PLAIN, masked=1.0))))


# shorter schemas


@pytest.mark.parametrize("name", catalog())
def test_brief_schemas_keep_what_calls_cannot_do_without(name: str) -> None:
    """Of every tool of every domain: what is required, what is needed, kinds and choices; at most `OPTIONAL` others, all without long words."""
    for tool in Offers(load_domain(name)).without(()).tools:
        whole, parameters = fields_of(tool), tool["function"]["parameters"]
        free = [key for key in whole if key not in parameters["required"]]
        assert list(fields_of(brief(tool))) == list(whole)
        for needed in ([], free[:1], free[-1:], free):
            cut = brief(tool, Needs({name_of(tool): frozenset(needed)}), chance(1))
            kept = fields_of(cut)
            assert cut["function"]["parameters"]["required"] == list(parameters["required"])
            assert {*parameters["required"], *needed} <= set(kept)
            assert [key for key in whole if key in kept] == list(kept)
            if name_of(tool) not in ALWAYS:
                assert len(set(kept) - {*parameters["required"]}) == min(len(free), max(OPTIONAL, len(needed)))
                assert not any("description" in field for field in kept.values())
            for key, field in kept.items():
                assert [field.get(part) for part in ("type", "enum", "const")] == [whole[key].get(part) for part in ("type", "enum", "const")]
            assert tool["function"]["description"].startswith(cut["function"]["description"])


@pytest.mark.parametrize("name", catalog())
def test_the_ability_that_is_missing_stays_listed(name: str) -> None:
    """Whichever it is and whatever is drawn, `finish` still lists it, among at most `ABILITIES`, in the order that they had."""
    finish = Offers(load_domain(name)).without(()).tools[-1]
    listed = fields_of(finish)["about"]["description"].partition("one of: ")[2].rstrip(".").split(", ")
    for number, ability in enumerate(listed):
        cut = brief(finish, Needs({}, (ability,)), chance(number))
        left = fields_of(cut)["about"]["description"].partition("one of: ")[2].rstrip(".").split(", ")
        assert ability in left
        assert left == [one for one in listed if one in left]
        assert len(left) == min(ABILITIES, len(listed))
    assert brief(finish) == brief(finish, None, chance(0)) or len(listed) > ABILITIES


def test_lessons_list_the_ability_that_their_end_names(rows: list[Example]) -> None:
    """Through the whole of `make_lesson`, for those that end as impossible for want of an ability."""
    found = 0
    for row in rows:
        whole = fields_of(row.told.tools[-1])["about"]["description"].partition("one of: ")[2].rstrip(".").split(", ")
        for about in row.told.needs.abouts:
            if about in whole:
                found += 1
                for seed in SEEDS:
                    lesson = made(row, Shape(), seed)
                    assert about in fields_of(lesson.tools[-1])["about"]["description"].partition("one of: ")[2].rstrip(".").split(", ")
    assert found


# without looking things up


def test_without_lookups_nothing_is_read(rows: list[Example]) -> None:
    """No call that only reads is left, nor what one said; every other message stays, in order."""
    dropped = 0
    for row in rows:
        kept = without_lookups(row)
        called = [name for name, _ in calls_of(kept)]
        assert not set(called) & row.reads
        assert called == [name for name, _ in calls_of(row.told.messages) if name not in row.reads]
        assert [message["name"] for message in kept if message["role"] == "tool"] == called[:-1]
        assert [message for message in row.told.messages if message in kept] == kept
        dropped += len(row.told.messages) - len(kept)
    assert dropped


# prompts


@given(st.text(), st.text(), st.booleans())
def test_the_prompt_is_said_first(prompt: str, opening: str, is_system: bool) -> None:
    """Before the words of an opening, or as an opening of its own; the rest is untouched."""
    rest: list[Mapping[str, Any]] = [{"role": "user", "content": "U"}]
    messages = [{"role": "system", "content": opening}, *rest] if is_system else rest
    found = prompted(messages, prompt)
    assert found[len(found) - 1 :] == rest
    assert len(found) == (2 if is_system or prompt else 1)
    if is_system:
        assert prompt.strip() in found[0]["content"]
        assert found[0]["content"].endswith(opening.strip())


# choices of many


class Letters:
    """A format that needs no model: one number a letter."""

    def sample(self, messages: Any, tools: Any) -> tuple[list[int], list[bool]]:
        """As `ChatFormat` does."""
        ids = list(map(ord, repr((messages, tools))))
        return ids, [False] * len(ids)

    def length(self, messages: Any, tools: Any) -> int:
        """As `ChatFormat` does."""
        return len(repr((messages, tools)))


@pytest.mark.parametrize("lookups", [True, False])
def test_larger_choices_hold_the_smaller_ones(lookups: bool, rows: list[Example]) -> None:
    """The samples of so many conversations are the first of those of more, whatever order the rows stand in; another seed draws others."""
    draw: Callable[..., Any] = make_samples
    shape = Shape(lookups=lookups)
    all_of_them = draw(rows, 0, shape, Letters(), 5)
    assert len(all_of_them.samples) == len(rows)
    for wanted in (1, 3, len(rows) - 1):
        few = draw(reversed(rows), wanted, shape, Letters(), 5)
        assert list(few.samples) == list(all_of_them.samples[:wanted])
        assert few.digest != all_of_them.digest
    assert draw(rows, 0, shape, Letters(), 5) == all_of_them
    assert draw(rows, 3, shape, Letters(), 6).digest != draw(rows, 3, shape, Letters(), 5).digest


def test_samples_say_what_they_were_made_of(rows: list[Example]) -> None:
    """Kinds and domains are counted, and conversations that do not fit are left out and counted, without ending the draw short."""
    draw: Callable[..., Any] = make_samples
    sizes = sorted(words(made(row, Shape(tools=1))) for row in rows)
    shape = Shape(tools=1, masked=0, max_tokens=sizes[len(sizes) // 2], whole=True)
    found = draw(rows, 0, shape, Letters(), 1)
    assert 0 < len(found.samples) < len(rows)
    assert (found.dropped, found.whole) == (len(rows) - len(found.samples), len(found.samples))
    assert sum(found.kinds.values()) == len(found.samples)
    assert set(found.domains) <= {row.domain for row in rows}
    assert len(draw(rows, len(found.samples), shape, Letters(), 1).samples) == len(found.samples)
