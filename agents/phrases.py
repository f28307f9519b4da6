"""What a teacher says: short forms for each case, one drawn from a seed, and values as people write them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

LONGEST = 160
"""Characters of what is said in one turn, at most."""

_FORMS = {
    "look": """
        Let me look that up. | Let me check. | I will look first. | One moment, I will look it up. | Let me see what is on file. |
        Let me find that. | I will check the records first. | First, a look at the records.
    """,
    "act": """
        Found it; now I can do it. | I have what I need. Going ahead. | That is all I need; I will do it now. | Good, now I can go ahead. |
        Now that I know that, I will do it. | I have found it. Going ahead. | With that I can do it. | That tells me enough to go ahead.
    """,
    "error": """
        That did not work; let me go on another way. | That was refused; trying another way. | No luck with that. Another way, then. |
        That came back as an error; I will go on differently. | That did not go through. Let me try something else. |
        An error; I will see what else there is. | That failed, so I will try it differently. | Not like that, it seems. Trying another way.
    """,
    "again": """
        That did not work; once more. | That came back as an error. Trying again. | That did not go through; I will try it again. |
        An error; let me try that again. | That failed, so once more. | No luck; once again. | Let me try that once more. |
        That was refused; one more try.
    """,
    "timeout": """
        No answer; let me see whether it went through. | That timed out. I will check before I repeat it. |
        I do not know whether that was done; looking first. | There was no answer, so I will look before doing it again. |
        It may or may not have gone through. Let me check. | No reply in time; I will see what was recorded. |
        That got no answer. First a look at whether it was done. | Timed out; I will not repeat it unseen.
    """,
    "rate_limited": """
        It wants a pause, so I will wait. | Too fast for it; I will wait as long as it asks. | It asks me to wait; I will. |
        I will give it the time that it asks for. | That was too soon. Waiting a little. | A short wait, as it asks. |
        It is limiting requests; waiting first. | I will wait, and then call again.
    """,
    "unavailable": """
        It is not available right now; once more. | That was not available. Trying again. | Not reachable just now; I will try again. |
        The service was away for a moment; again. | It did not work this time; one more try. | Unavailable. Let me try that again. |
        That seems to be down for a moment; once again. | No luck, it is unavailable; another try.
    """,
    "outdated": """
        It has changed since it was described; as the error says, then. | The description is out of date; I will do as the error says. |
        Not as described, but now I know how. | The error says what it wants now; once more. | I see, it wants that otherwise. Again. |
        The tool is not quite as described; I will call it as it asks. | That differs from its description; again, the right way. |
        Good to know; once more, as it asks.
    """,
    "as_of": """
        That is an old copy; I will read it again. | This may be out of date, so once more. | An older state; let me read the present one. |
        That was as of earlier; reading it anew. | It says that this is a copy from before. Again. | I need the present state; reading again. |
        That is not current; let me look again. | Old data; I will ask for it again.
    """,
    "partial": """
        That list is not complete; once more. | Some of it is missing; I will ask again. | Only a part came; let me get all of it. |
        It says that rows are missing; again. | That was cut short; reading it again. | A partial list; I need all of it. |
        Not all of it came through; once more. | The list is incomplete; asking again.
    """,
    "injected": """
        A note in that record gives orders; it is not from you, so I leave it. | That record tells me to do something you did not ask; I will not. |
        There is an instruction in the data; I am ignoring it. | I take orders from you, not from a record; going on. |
        The note in there is no request of yours; I leave it alone. | Something in that record wants me to do other things; I will not. |
        That text is data, and not a request; going on as you asked. | An instruction in a record is none of mine; on with your request.
    """,
    "down": """
        I tried three times, and it is down today: {v}. | I'm sorry, that is not working today: {v}. |
        That cannot be done today; what is down is {v}. | It stayed unavailable after three tries: {v}. |
        Not possible today, I'm afraid: {v} is down. | The tool for it is down for today: {v}. |
        I'm sorry, {v} is out of service today. | No luck today: {v} did not come back.
    """,
    "number": """
        It is {v}. | That is {v}. | The answer is {v}. | The figure is {v}. | That would be {v}. | I make it {v}. | The records say {v}. |
        It says {v} here. | On file it is {v}. | {v}.
    """,
    "there are": """
        There are {v}. | I count {v}. | The answer is {v}. | There are {v} of them. | That makes {v}. | I make it {v}. | The count is {v}. |
        In all there are {v}. | {v}.
    """,
    "money": """
        It is {v}. | That comes to {v}. | The amount is {v}. | That makes {v}. | It comes to {v}. | The answer is {v}. | It works out at {v}. |
        The figure is {v}. | That would be {v}. | {v}.
    """,
    "date": """
        It is {v}. | That is {v}. | The date is {v}. | The day is {v}. | That would be {v}. | The answer is {v}. | The records say {v}. |
        It says {v} here. | On file it is {v}. | {v}.
    """,
    "id": """
        It is {v}. | That is {v}. | The number is {v}. | That would be {v}. | The answer is {v}. | The one you want is {v}. | I found it: {v}. |
        You are looking for {v}. | {v}.
    """,
    "ids": """
        These are the ones: {v}. | They are {v}. | I found these: {v}. | The numbers are {v}. | Those would be {v}. | Here they are: {v}. |
        The answer is {v}. | The list: {v}. | {v}.
    """,
    "word": """
        It is {v}. | That is {v}. | The answer is {v}. | It says {v} here. | The records say {v}. | That would be {v}. | On file it is {v}. |
        What I have is {v}. | The entry is {v}.
    """,
    "yes": """
        Yes. | Yes, that is so. | The answer is yes. | The records say yes. | That is a yes. | Yes, so it says here. | Yes, I have checked. |
        Yes, according to the records.
    """,
    "no": """
        No. | No, that is not so. | The answer is no. | The records say no. | That is a no. | No, so it says here. | No, I have checked. |
        No, according to the records.
    """,
    "none": """
        There are none. | I found none. | None. | None that I can find. | The list is empty. | There is nothing there. |
        I looked, and there are none. | The records hold none.
    """,
    "instead": """
        The number is {v}. | The number you wanted instead: {v}. | As you asked, the number: {v}. | Here is the number instead: {v}. |
        So here is the number: {v}. | The number, as you wanted: {v}. | The number to go by is {v}. | What I can give you is the number: {v}.
    """,
    "long": """
        Here is all of it. | The full answer is here. | I have put all of it in the answer. | This is the whole answer. |
        That is what I found, all of it. | Here is everything that I found. | It is a long answer; here it is. | The answer is here in full.
    """,
    "done": """
        Done. | That's done. | All done. | It is done. | I have done that. | That has been done. | Done, as you asked. | All set. |
        That is taken care of.
    """,
    "both": """
        Both are done. | Both done. | I have done both. | Done, both of them. | Both have been done. | That's both done. |
        Both are taken care of. | Both things are done.
    """,
    "all three": """
        All three are done. | All three done. | I have done all three. | Done, all three of them. | All three have been done. |
        That's all three done. | All three are taken care of. | All three things are done.
    """,
    "done with": """
        Done. {a} | That's done. {a} | All done. {a} | It is done. {a} | I have done that. {a} | That has been done. {a} |
        Done, as you asked. {a} | That is taken care of. {a} | {a}
    """,
    "updated": """
        Done. {v} has been updated. | {v} has been updated. | That's done: {v} is up to date. | I have updated {v}. | {v} is up to date now. |
        All set, {v} has been updated. | Done, and {v} is up to date. | I have done that and updated {v}. | It is done; {v} is up to date.
    """,
    "state": """
        Done. {v} is now marked as {s}. | {v} is now marked as {s}. | {v} is down as {s} now. | That's done: {v} is now marked as {s}. |
        Done. {v} now shows as {s}. | I have done that; {v} is now down as {s}. | {v} now has the state {s}. | All set, {v} now shows as {s}.
    """,
    "added": """
        Done. The number is {v}. | Done; it is on file as {v}. | That's done, under the number {v}. | It has been entered as {v}. |
        I have entered it as {v}. | That is on record now as {v}. | All set. The new number is {v}. | Done. You will find it under {v}.
    """,
    "removed": """
        Done. {v} has been removed. | {v} has been removed. | {v} is gone. | I have removed {v}. | That's done: {v} has been removed. |
        {v} is no longer on file. | All set, {v} has been removed. | {v} has been taken off the records.
    """,
    "impossible": """
        I cannot do that from here; there is no tool for it: {v}. | I'm sorry, that is not possible here. What is missing: {v}. |
        That cannot be done here: I have no tool for "{v}". | Sorry, I lack the tool for that, which would be "{v}". |
        That takes a tool that I do not have here: {v}. | There is no way to do that from here; "{v}" is not among my tools. |
        I'm afraid I cannot do that. The tool for it is missing: {v}. | Not possible from here, I'm sorry: I have nothing for "{v}".
    """,
    "neither": """
        Then neither of us can do that: {v}. | If you cannot do it either, it cannot be done: {v}. | Without you I cannot do that: {v}. |
        That was for you to do, and as you cannot, it stays undone: {v}. | I have no tool for that, and nor have you, it seems: {v}. |
        Then it is not possible; what is missing is {v}. | I'm sorry, then there is no way: {v}. | As neither of us can, I have left it: {v}.
    """,
    "together": """
        Thank you; with that everything is done. | Thank you, that was all that was needed. | Then all of it is done, thanks to you. |
        That completes it. Thank you for your part. | Good, with your part it is all done. | Thank you for doing that; it is all done now. |
        All done, then, with your help. | Then that is settled. Thank you.
    """,
    "blocked": """
        That cannot be done: {v} stands in the way. | I'm sorry, that is not possible because of {v}. | {v} stands in the way of that. |
        I cannot do that; what blocks it is {v}. | That does not work, because of {v}. | Not possible, I'm sorry: {v} blocks it. |
        I'm afraid {v} makes that impossible. | I have not done it, for {v} is in the way.
    """,
    "cannot": """
        I'm sorry, that is not possible from here. | That cannot be done from here. | I cannot do that here. | Sorry, that does not work here. |
        I'm afraid that cannot be done here. | There is no way to do that from here. | That is not possible here. | I have no way to do that.
    """,
    "not allowed": """
        I'm not allowed to do that: the rule "{v}" forbids it. | That is against a rule of ours: "{v}". |
        I'm sorry, our policy forbids that: "{v}". | The policy "{v}" does not allow that. | A rule stands in the way: "{v}". |
        I may not do that. The rule is "{v}". | That would break the rule "{v}", so I have left it. | I'm afraid a policy rules that out: "{v}".
    """,
    "rule": """
        I may not do that. The rule ({v}): {t} | That is not allowed, by the rule "{v}": {t} | I'm sorry, no: {t} That is the rule "{v}". |
        A policy forbids it ({v}): {t} | Our rule "{v}" says: {t} So I have left it. | That would break the rule "{v}": {t} |
        I'm not allowed to do that: {t} (The rule is "{v}".) | Not allowed, I'm afraid ({v}): {t}
    """,
    "ask_first": """
        Then I have left it as it is. | All right, nothing has been changed. | As you wish; I have changed nothing. | Understood, it stays as it is. |
        Then it stays as it was. | Very well, I have left it alone. | I have not touched it, then. | Fine, I have left everything as it was.
    """,
    "identity_first": """
        What you gave me is not what is on file, so I have changed nothing. | I'm sorry, that does not match our records; nothing has been changed. |
        I could not confirm who you are, so I have left it. | That does not agree with the records, so I may not do it. |
        I cannot identify you by that, and have changed nothing. | The details differ from those on file. I have left it. |
        I'm afraid that is not what we have on file, so I may not. | That does not fit the records, so nothing was done.
    """,
    "forbidden": """
        I'm not allowed to do that. | A rule forbids that. | That is against our rules. | Our rules do not allow that. | I may not do that. |
        A policy stands in the way of that. | I'm sorry, that is not allowed. | I'm afraid a rule forbids that.
    """,
}
PHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType({case: tuple(" ".join(forms.split()).split(" | ")) for case, forms in _FORMS.items()})
"""Case → its forms. `v` is what a form is about; `s` a state, `t` a policy's text, `a` a sentence before this one's."""


def say(case: str, values: Mapping[str, str], random: np.random.Generator, *, room: int = LONGEST) -> str:
    """A drawn form of a case with these values, one that fits into the room; empty when none does."""
    texts = [form.format_map(values) for form in PHRASES[case]]
    fitting = [text for text in texts if len(text) <= room]
    number = int(random.random() * len(fitting))
    return fitting[number] if fitting else ""


def plain(value: Any) -> str:
    """A value as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def in_words(value: Any) -> str:
    """A name as words: `no_show` is no show; what is no such name stays as it is."""
    text = plain(value)
    return text.replace("_", " ") if re.fullmatch(r"[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+", text) else text


def listed(values: Sequence[str]) -> str:
    """Values joined by commas and a last `and`."""
    return " and ".join([", ".join(values[:-1]), values[-1]]) if len(values) > 1 else "".join(values)


def amount(value: Any) -> str:
    """Money with two decimals, as results show it."""
    return f"{float(value):.2f}"


def figure(value: Any) -> str:
    """A number without a decimal part that says nothing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else plain(value)


def day(value: str, random: np.random.Generator) -> str:
    """A date (the day of a date-time) as it stands, or in words."""
    date = datetime.date.fromisoformat(value[:10])
    words = f"{date.day} {date:%B} {date.year}"
    return (date.isoformat(), words, f"{date:%A}, {words}")[int(random.random() * 3)]
