"""A chat model in the part of a task's user: it finds the words, and what it may say is held against the script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from agents.budget import Account, Budget
from agents.chat import Endpoint, Sampling, complete, connected
from envs.action import printable
from synthtools.task import Task
from synthtools.user import Reply, User, replies

if TYPE_CHECKING:
    from openai import OpenAI

Unfaithful = Literal["leak", "invention", "withheld", "decision", "deed", "early_end"]
"""A fact that nobody asked for; a value that the script does not have; a fact that was asked for and not told; another decision than the
script's; something done that was not asked for or that it cannot do, or not done that it can; a goodbye while the script stays."""

PROMPT = """You play a person who has asked an assistant for something. Speak only as that person, one or two sentences at a time.
Tell a fact exactly as it is written, only when the assistant asks for it, and never one that was not asked for. Make nothing up: where you \
do not know something, say so. Do not end the conversation and do not say goodbye."""

_ABLE = "Once you are asked to, you do this yourself; say only that you will, for what comes of it is added to your words"
_UNABLE = "You have no way to do this, and say so when you are asked to"
_GOODBYE = re.compile(r"\b(?:goodbye|good-bye|bye)\b", re.IGNORECASE)
_YES = re.compile(r"\b(?:yes|yep|yeah|sure|go ahead|go on|please do|proceed|confirmed)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|nope|not|don't|do not|leave it|stop|never)\b", re.IGNORECASE)
_CANNOT = re.compile(r"\b(?:can['’]t|cannot|can not|couldn['’]t|unable|not able|not possible|impossible|not offered)\b", re.IGNORECASE)
_DID = re.compile(r"\bi did (?:it|that|this)\b|\bit(?:['’]s| is) done\b", re.IGNORECASE)
_HAVE = re.compile(r"\bi(?:['’]ve| have)(?: just| now| already)? (\w+)", re.IGNORECASE)
_VALUE = re.compile(r"[\w.+-]+@[\w.-]+\w|[\w#/:.+-]*\d[\w#/:.,-]*")
"""What looks like a value: an address, or anything with a digit."""


class UnfaithfulUser(Exception):
    """A model in the user's part that did not keep to the script: ours, so the episode is given up and not scored."""

    def __init__(self, kind: Unfaithful, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


@dataclass(slots=True)
class ModelUser:
    """Speaks for the users of tasks; copies of it share the account."""

    sampling: Sampling
    endpoint: Endpoint = Endpoint()
    account: Account = field(default_factory=Account)
    gone: bool = False
    _user: User | None = None
    _heard: list[str] = field(default_factory=list)
    _said: list[str] = field(default_factory=list)

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelUser:
        return replace(self, _heard=[*self._heard], _said=[*self._said])

    def begin(self, task: Task) -> None:
        """Take the part of the task's user."""
        self._user, self._heard, self._said, self.gone = task.user, [], [], False

    def hear(self, text: str) -> str:
        """What the model says in the user's part; where the script's user leaves or has left, what that says.

        Raises UnfaithfulUser where it does not keep to the script, ConnectionError where it does not answer, OutOfBudget where it may spend no
        more, ValueError before an episode.
        """
        if self._user is None:
            raise ValueError("there is no user to reply")
        self._heard.append(text)
        script = replies(self._user, self._heard)
        self.gone = script[-1].gone
        said = script[-1].text if self.gone else self._ask(self._user)
        if not self.gone:
            found = audit(self._user, self._heard, script, said, self._said)
            if found is not None:
                raise UnfaithfulUser(*found)
        self._said.append(said)
        return said

    def told(self, reply: str) -> None:
        """Remember the last reply as the agent heard it, with how what the user did went."""
        self._said[-1] = reply

    def _ask(self, user: User) -> str:
        messages: list[dict[str, str]] = [{"role": "system", "content": f"{self.sampling.prompt}\n\n{portrait(user)}"}]
        for number, text in enumerate(self._heard):
            messages.append({"role": "user", "content": text})
            messages += [{"role": "assistant", "content": said} for said in self._said[number : number + 1]]
        completion = complete(_client(self.endpoint), {**self.sampling.asked, "messages": messages}, self.account)
        return printable(completion.choices[0].message.content or "").strip()


@dataclass(frozen=True, slots=True)
class ModelUsers:
    """Makes such users, in any process."""

    sampling: Sampling
    endpoint: Endpoint = Endpoint()
    budget: Budget = Budget()

    @property
    def identity(self) -> str:
        """Model, prompt and sampling, and where it is asked."""
        where = hashlib.blake2b(self.endpoint.address.encode(), digest_size=4).hexdigest()
        return f"{self.sampling.identity}:{where}"

    def make(self, account: Account) -> ModelUser:
        """One of them; those of one process share an account."""
        return ModelUser(self.sampling, self.endpoint, account)


_clients: dict[Endpoint, Any] = {}


def _client(endpoint: Endpoint) -> OpenAI:
    """The client of an endpoint, one in a process; it holds locks, so users that are copied must not."""
    if endpoint not in _clients:
        _clients[endpoint] = connected(endpoint)
    client: OpenAI = _clients[endpoint]
    return client


def portrait(user: User) -> str:
    """What the model is told of the person it plays."""
    ways = {"at_once": "", "when_pressed": " (only when asked a second time; say at first that you have to look)", "corrected": ""}
    facts = [f"- {fact.label}: {fact.said}{ways[fact.given]}" for fact in user.facts] or ["- nothing besides"]
    decision = [] if user.decision is None else [f'Asked whether to go ahead, you say: "{user.decision.said}"']
    deeds = [f"{_ABLE if deed.able else _UNABLE}: {deed.label}." for deed in user.deeds]
    return "\n".join([f'You asked: "{user.goal}"', f"You talk in a {user.manner} way.", "What you know:", *facts, *decision, *deeds])


def audit(user: User, heard: Sequence[str], script: Sequence[Reply], said: str, before: Sequence[str] = ()) -> tuple[Unfaithful, str] | None:
    """How what was said in the user's part departs from the script, at the last of these turns; None: it does not.

    `before`: the replies so far, which hold what the user was shown.
    """
    asked = {slot for reply in script for slot in reply.asked}
    last = script[-1]
    for fact in user.facts:
        if fact.slot not in asked and _stands(fact.said, said) and not _stands(fact.said, user.goal):
            return "leak", f"told the {fact.label} ({fact.said!r}), which nobody had asked for"
    withheld = [fact for fact in user.facts if fact.slot in last.gave and not _stands(fact.said, said)]
    if withheld:
        return "withheld", f"was asked for the {withheld[0].label} and did not say {withheld[0].said!r}"
    if _GOODBYE.search(said):
        return "early_end", f"said goodbye after {len(heard)} turns: {said[:80]!r}"
    if last.decided and user.decision is not None and _decides(said) is not user.decision.go:
        return "decision", f"should have said {user.decision.said!r}, and said {said[:80]!r}"
    strayed = _strays(user, script, said)
    if strayed:
        return "deed", f"{strayed}: {said[:80]!r}"
    facts = [part for fact in user.facts for part in (fact.said, fact.wrong)]
    known = " ".join([user.goal, *heard, *before, *facts, *(deed.label for deed in user.deeds), user.decision.said if user.decision else ""])
    strange = [value for value in map(_trimmed, _VALUE.findall(said)) if value and not _stands(value, known)]
    return ("invention", f"said {strange[0]!r}, which stands in no script") if strange else None


def _strays(user: User, script: Sequence[Reply], said: str) -> str:
    """What is not so in what was said of deeds, at the last of these turns; empty where all is."""
    able = {user.deeds[number].able for number in script[-1].bidden}
    if False in able and not _CANNOT.search(said):
        return "was asked to do what it cannot, and did not say so"
    if script[-1].deeds and able == {True} and _CANNOT.search(said):
        return "was asked to do what it can, and said that it cannot"
    tried = any(user.deeds[number].able for reply in script for number in reply.bidden)
    return "claimed to have done what nobody had asked for" if user.deeds and not tried and _claims(user, said) else ""


def _claims(user: User, said: str) -> bool:
    """Whether a text says that something was done, in words of its own or of the user's deeds."""
    verbs = tuple({"done", *(verb.split()[0].removesuffix("e") for deed in user.deeds for verb in deed.doing.verbs)})
    return _DID.search(said) is not None or any(word.lower().startswith(verbs) for word in _HAVE.findall(said))


def _decides(said: str) -> bool | None:
    """Whether a text says yes (True) or no (False), whichever comes first; None: neither."""
    yes, no = _YES.search(said), _NO.search(said)
    return None if yes is None and no is None else no is None or (yes is not None and yes.start() < no.start())


def _trimmed(value: str) -> str:
    return value.strip(".,:;-/")


def _stands(value: str, text: str) -> bool:
    """Whether a value stands in a text as a word of its own."""
    plain, among = (" ".join(part.casefold().split()) for part in (value, text))
    return re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", among) is not None


@dataclass(slots=True)
class RecordedUser:
    """Says again what a record's user said, for an episode that is replayed; without one, what the script says."""

    gone: bool = False
    _coming: tuple[str, ...] | None = None
    """For the next episode."""
    _replies: tuple[str, ...] | None = None
    _user: User | None = None
    _heard: list[str] = field(default_factory=list)

    def load(self, said: Sequence[str]) -> None:
        """What was said in the episode that begins next."""
        self._coming = tuple(said)

    def begin(self, task: Task) -> None:
        """Take the part of the task's user, with what was loaded for this one episode."""
        self._user, self._heard, self.gone = task.user, [], False
        self._replies, self._coming = self._coming, None

    def hear(self, text: str) -> str:
        """What was said then; nothing after the record's end. ValueError before an episode."""
        if self._user is None:
            raise ValueError("there is no user to reply")
        self._heard.append(text)
        script = replies(self._user, self._heard)[-1]
        self.gone = script.gone
        if self._replies is None:
            return script.text
        return self._replies[len(self._heard) - 1] if len(self._heard) <= len(self._replies) else ""
