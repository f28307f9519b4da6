"""What scripted users make of what they hear: sensible questions are understood, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from synthtools.hearing import Topic, goes_ahead, questions, topics_in
from synthtools.user import Decision, Fact, User, reply
from synthtools.voices import VOICES

GOAL = "Please cancel the order that Nguyen placed on 24 November."
TOLD = "I would cancel the order of Nguyen."
ASKING = (
    "Shall I go ahead?|Should I proceed?|Can I do this now?|Would you like me to do this?|Is that okay with you?|Is this correct?|Are you sure?|"
    "Does that sound right?|Sound good?|Please confirm.|I need your confirmation before I change anything.|Do I have your permission?|Do you agree?|"
    'Let me know if I may go ahead.|Reply "yes" to continue.|Just say yes and I will do it.|Any objections?|How does that sound?|'
    "Is that what you want?|Can you give me a yes before I cancel it?|I'll cancel it once you say so.|Is that all right?"
).split("|")
AFTER_FACTS = (
    "The order of Nguyen has been paid already. Would you like me to cancel it?",
    "The order of Nguyen is completed. Do you still want me to cancel it?",
    "I have now found the order of Nguyen. I would cancel it and refund 30. Is that fine?",
)
ELSEWHERE = (
    "May I ask your name?|Could you confirm your email address?|Can you confirm which order you mean?|Could you please tell me the order number?|"
    "Are you still there?|Is the weather nice today?|Should I use the old or the new address?|May I have your phone number?|"
    "Can you hold on a second?|"
    "Thank you for confirming.|I will proceed to look up the order.|Shall I look up the order first?|I cannot proceed without the order number.|"
    "Is your name Jonas?|Done! Anything else?|Do you want anything else?|Can you describe the order?"
).split("|")
NURSE, SHIFT, START = Topic("row", ("nurse",)), Topic("row", ("shift",)), Topic("day", ("starts",))


@pytest.mark.parametrize("text", ASKING)
def test_whoever_said_what_is_to_be_done_may_ask_in_any_words(text: str) -> None:
    """Once the thing has been named, in this turn or before; not with nothing named at all."""
    assert goes_ahead((TOLD, text), GOAL)
    assert goes_ahead((f"{TOLD} {text}",), GOAL)


@pytest.mark.parametrize("text", AFTER_FACTS)
def test_what_has_been_done_already_ends_no_conversation(text: str) -> None:
    """A sentence about the past before the question leaves it a question, answered by the decision and by no goodbye."""
    user = User("plain", 1, GOAL, decision=Decision(True, "Yes, go ahead."))
    assert reply(user, (text,)).text == "Yes, go ahead."


@pytest.mark.parametrize("text", ELSEWHERE)
def test_another_question_is_no_proposal(text: str) -> None:
    """Neither alone nor after the thing was named: the user does not say yes to it."""
    for heard in ((text,), (TOLD, text)):
        said = reply(User("plain", 1, GOAL, decision=Decision(True, "Yes, go ahead.")), heard)
        assert not said.decided, said.text


@pytest.mark.parametrize("manner", sorted(VOICES))
@pytest.mark.parametrize("text", ["Ok?", "Shall I go ahead?", "Is that fine?", "Please confirm."])
def test_nobody_agrees_to_nothing(text: str, manner: str) -> None:
    """A question that nobody could know the object of is asked back; what else names the thing counts as well as the request's own words."""
    user = User(manner, 1, GOAL, decision=Decision(True, "Yes, go ahead.", ("SO-0042", "stop")))
    assert not reply(user, (text,)).decided
    assert any(form.casefold() == reply(user, (text,)).text.casefold() for form in VOICES[manner]["what"])
    assert reply(user, ("Shall I stop SO-0042?",)).decided


def test_an_announcement_is_not_agreed_to() -> None:
    """One who still has to decide says neither yes nor fine to a statement."""
    user = User("plain", 1, GOAL, decision=Decision(False, "No, don't."))
    assert reply(user, ("I am cancelling the order of Nguyen.",)).text in VOICES["plain"]["listening"]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Which nurse should take the shift?", [0]),
        ("Which nurse should I put on which shift?", [0, 1]),
        ("Which nurse and which shift do you mean?", [0, 1]),
        ("What is the shift of the nurse?", [0, 1]),
        ("When does it start?", [2]),
        ("One moment please, I am looking for the nurse.", []),
        ("Please wait while I check the shift.", []),
        ("You haven't told me the shift yet.", [1]),
        ("I can do that once I have the nurse.", [0]),
        ("Can you tell me more about it?", [0, 1, 2]),
    ],
)
def test_a_question_is_about_what_it_asks_for(text: str, about: list[int]) -> None:
    """Not about what it mentions beside that; asking for time asks for nothing else."""
    assert topics_in(questions(text), [NURSE, SHIFT, START]) == about


@pytest.mark.parametrize("text", ["What is the booking number?", "What's their member number?", "What is the number of nights?"])
def test_the_number_of_something_else_is_no_phone_number(text: str) -> None:
    """Nor a count."""
    phone = Fact("phone", "phone number", Topic("phone", ("phone",)), "+44 7000 000000")
    count = Fact("kg", "weight in kg", Topic("number", ("weight",)), "80")
    assert not reply(User("plain", 1, GOAL, (phone, count)), (text,)).gave
