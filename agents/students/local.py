"""A model on this machine as an agent: many episodes at once, calls read out of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agents.agent import Maker, Opening, Turn
from agents.conversation import Conversation, as_object
from agents.lesson import PROMPT, brief
from agents.students.calls import read_calls
from agents.students.model import Model, Precision, device, fastest, find_model, load_model, weights_digest
from envs.action import printable
from synthtools.task import Task

if TYPE_CHECKING:
    from agents.students.generate import Generator


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What makes a model on this machine act as it does."""

    model: str
    template: str = "auto"
    prompt: str | None = None
    """None: what the student was taught with, or `agents.lesson.PROMPT`."""
    brief: bool | None = None
    """Whether schemas are cut to names, types and choices; None: as the student was taught, or not."""
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 160
    """Of one turn."""
    precision: Precision = "auto"
    batch: int = 32
    """Episodes at once. It makes no difference to what is drawn, but rounding may differ."""


@dataclass(slots=True)
class Seat:
    """One episode's place beside others."""

    conversation: Conversation
    key: tuple[str, int]
    """What the conversation is known by: its task and seed, so that one begun again costs only what is new."""
    turns: int = 0

    def take(self, turn: Turn) -> None:
        """What is done next in this episode."""
        self.turns += 1
        self.conversation.take(turn)

    def hear(self, observations: Sequence[str]) -> None:
        """The results of that."""
        self.conversation.hear(observations)


@dataclass(slots=True)
class LocalAgent:
    """Speaks for a model; as an `Agent` in one episode, or for many seats at once."""

    settings: LocalSettings
    name: str
    identity: str
    loaded: Model | None = None
    malformed: int = 0
    """Calls so far that could not be read; each comes back to the model as an error."""
    _generator: Generator | None = None
    _seat: Seat | None = None
    _first: bool = True

    @property
    def batch(self) -> int:
        """Episodes at once."""
        return self.settings.batch

    def seat(self, opening: Opening) -> Seat:
        """A place for one more episode."""
        shown, settings = self._model().shown, self.settings
        prompt = str(shown.get("prompt", PROMPT)) if settings.prompt is None else settings.prompt
        if bool(shown.get("brief", False)) if settings.brief is None else settings.brief:
            opening = replace(opening, tools=[brief(tool) for tool in opening.tools])
        if not shown.get("briefing", True):
            opening = replace(opening, briefing="")
        return Seat(Conversation(opening, prompt, as_object, named=True), (opening.task, opening.seed))

    def answer(self, seats: Sequence[Seat]) -> list[Turn | None]:
        """The next turn in each seat; none is taken yet. None: it is not over, and is gone on with when the seat is asked again."""
        model, generator = self._model(), self._generator
        assert generator is not None
        prompts = [model.format.prompt(seat.conversation.messages, seat.conversation.tools) for seat in seats]
        seeds = [seat.conversation.seed + seat.turns for seat in seats]
        made = generator.complete(prompts, [seat.key for seat in seats], seeds)
        return [None if tokens is None else self._turn(seat, tokens) for seat, tokens in zip(seats, made, strict=True)]

    def begin(self, opening: Opening) -> None:
        """Start a new conversation."""
        self._seat, self._first = self.seat(opening), True

    def act(self, observations: Sequence[str]) -> Turn:
        """Hear the results of the last turn and take the next."""
        if self._seat is None:
            raise ValueError("act before begin")
        if not self._first:
            self._seat.hear(observations)
        self._first = False
        (turn,) = self.answer([self._seat])
        assert turn is not None, "a turn without company goes on to its end"
        self._seat.take(turn)
        return turn

    def _turn(self, seat: Seat, tokens: Sequence[int]) -> Turn:
        names = [tool["function"]["name"] for tool in seat.conversation.tools]
        reading = read_calls(printable(self._model().format.said(tokens)), names)
        self.malformed += reading.malformed
        if not reading.calls:
            return seat.conversation.spoken(reading.text, len(tokens))
        return Turn(reading.calls, reading.text, len(tokens))

    def _model(self) -> Model:
        if self.loaded is None:
            self.loaded = load_model(self.settings.model, self.settings.template, self.settings.precision)
            self.loaded.model.to(device())
        if self._generator is None:
            from agents.students.generate import Decoding, Generator

            stop = self.loaded.tokenizer.convert_tokens_to_ids(self.loaded.format.stop)
            decoding = Decoding(self.settings.temperature, self.settings.top_p, self.settings.max_tokens)
            self._generator = Generator(self.loaded.model, stop, decoding)
        return self.loaded


def local(settings: LocalSettings) -> Maker:
    """How to make this agent, in any process; the weights are read there. Raises ModelError where there is no such model."""
    place = find_model(settings.model)
    digest = weights_digest(Path(place)) if Path(place).is_dir() else place
    settings = replace(settings, precision=fastest() if settings.precision == "auto" else settings.precision)
    shown = {key: value for key, value in asdict(settings).items() if key not in ("model", "batch")}
    identity = hashlib.blake2b(orjson.dumps([digest, shown], option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()
    name = Path(settings.model).name
    return partial(_make_local, settings, name, f"{name}:{identity}")


def _make_local(settings: LocalSettings, name: str, identity: str, tasks: Mapping[str, Task]) -> LocalAgent:
    return LocalAgent(settings, name, identity)
