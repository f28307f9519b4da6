"""What text without a call stands for, and what is heard of it."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.speech import finish_call, reply_of, said, talks
from synthtools.tool import ToolCall
from synthtools.user import RESPOND

FINISH = {"type": "function", "function": {"name": "finish", "description": "End.", "parameters": {}}}


@given(st.text())
def test_text_goes_to_the_user_where_there_is_one(text: str) -> None:
    """With `respond` among the tools it is said; without, it is the answer that ends the episode."""
    assert said(text, talks([RESPOND.schema(), FINISH])) == ToolCall("respond", {"text": text})
    assert said(text, talks([FINISH])) == finish_call(text)


def test_finish_names_what_is_not_empty() -> None:
    """Empty arguments are left out; an answer of zero or False is one."""
    assert finish_call() == ToolCall("finish", {"outcome": "done"})
    assert finish_call("", "not_allowed", "deposit") == ToolCall("finish", {"outcome": "not_allowed", "about": "deposit"})
    assert finish_call(0) == ToolCall("finish", {"answer": 0, "outcome": "done"})
    assert finish_call(False) == ToolCall("finish", {"answer": False, "outcome": "done"})


@pytest.mark.parametrize("observation", ['{"error":"too_long"}', '["reply"]', '"reply"'])
def test_what_is_no_reply_is_heard_as_it_is(observation: str) -> None:
    """The user's words are taken out of the result; an error is told whole."""
    assert reply_of(orjson.dumps({"reply": "The 4th."}).decode()) == "The 4th."
    assert reply_of(observation) == observation
