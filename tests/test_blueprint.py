"""Blueprints: every mistake gets one line that names the file, the line and the mend."""

from __future__ import annotations

import pytest

from small import TEXT, tool_shed
from synthtools.source import BlueprintError

MISTAKES = [
    ("    rows: 12\n", "    rows: 12\n    colour: red\n", "neighbour.colour: unknown key"),
    ("      name: person\n", "      name: persn\n", "unknown key"),
    ("    rows: 12\n", "", "entities.neighbour.rows: is missing"),
    ("{money: [0, 900], default: 0}", "{money: [0, 900], arond: 0}", "did you mean 'around'?"),
    ("{ref: tool}", "{ref: toool}", "refers to 'toool', which is no entity"),
    ("verbs: {in: bring_back}", "verbs: {gone: bring_back}", "state 'gone' is not in the lifecycle"),
    ("begins < ends", "begins < never", "no such column: never"),
    (":tool.state = 'in'", ":tool.status = 'in'", ":tool.status is not an argument"),
    ('"No tool {tool_id}."', '"No tool {tool}."', "{tool} is not an argument"),
    ("WHERE id = :tool_id\n      - UPDATE neighbour", "WHERE id = :tool_id; DELETE FROM loan\n      - UPDATE neighbour", "more than one statement"),
    ("UPDATE tool SET state = 'out'", "UPDATE OR REPLACE tool SET state = 'out'", "REPLACE is not allowed"),
    ("date(:today, '+' || :days || ' days')", "date('now')", "reads the host's clock"),
    ("fees + :days * :tool.day_rate", "fees + random()", "random() is not allowed"),
    ("SELECT id, fees, :days", "SELECT id, id, fees, :days", "same name"),
    ("tempts: lend", "tempts: borrow", "'borrow' is no tool"),
    ("money: [0, 900]", "money: [0, many]", "valid integer"),
    ("about: A shed", "about: 'A shed", "not YAML"),
    ("    rows: 10\n", "    rows: 10\n    rows: 11\n", "stands twice"),
    ("today: 2026-03-02", "today: 2nd of March", "should match pattern"),
    ("{refers_to: neighbour}, days", "{refers_to: person}, days", "refers to 'person', which is no entity"),
]


@pytest.mark.parametrize(("right", "wrong", "told"), MISTAKES)
def test_a_mistake_gets_one_line_with_its_place(right: str, wrong: str, told: str) -> None:
    """The message is one line, begins with file and line, and says what is wrong."""
    assert right in TEXT
    with pytest.raises(BlueprintError) as caught:
        tool_shed(TEXT.replace(right, wrong, 1))
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    file, line, _ = message.split(":", 2)
    assert file == "tool_shed.yaml"
    assert 1 <= int(line) <= TEXT.count("\n") + 2


def test_the_line_is_the_mistakes_own() -> None:
    """A mistake deep in the file is found at its line, not at the start of its section."""
    text = TEXT.replace(":tool.state = 'in'", ":tool.status = 'in'")
    with pytest.raises(BlueprintError) as caught:
        tool_shed(text)
    assert "status" in text.splitlines()[caught.value.line - 1]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "field: x\n", "{", "a: 1\na: 2\n", "\x00"])
def test_what_is_no_blueprint_gets_one_line_too(text: str) -> None:
    """Anything that is not a blueprint is refused without a traceback of another kind."""
    with pytest.raises(BlueprintError) as caught:
        tool_shed(text)
    assert "\n" not in str(caught.value)
