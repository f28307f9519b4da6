"""Generation for many conversations at once, in which what was read before is not read again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList, PreTrainedModel, TemperatureLogitsWarper, TopPLogitsWarper

from agents.students.cache import append, beginning, empty_cache, is_plain, narrowed, side_by_side
from synthtools.seed import derive

_CROWDED = 0.75
"""Rows that still speak, below which the others are put away."""
_FEW = 0.25
"""Share of the turns begun together, below which those that still go on are left for the next call, where there is company again."""
_STEP = 12_000
"""What a step costs besides its attention, in tokens attended to (of all rows): what it takes for a separate company to pay.

About what SmolLM2-135M takes on two cores in bf16; elsewhere it only makes other companies.
"""
_ALIKE = 64
"""Tokens at the beginning from which a conversation is taken over from another: the same trade's tools, mostly."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are chosen."""

    temperature: float = 0.0
    """0: always the likeliest."""
    top_p: float = 1.0
    max_tokens: int = 160
    """Of one turn."""


@dataclass(slots=True)
class Heard:
    """What has been read of one conversation."""

    ids: list[int]
    cache: DynamicCache


@dataclass(slots=True)
class Begun:
    """A turn that has not ended."""

    prompt: Sequence[int]
    chance: torch.Generator
    made: list[int] = field(default_factory=list)
    stopped: bool = False
    over: bool = False
    """Stopped, or as long as a turn may be."""

    @property
    def ids(self) -> list[int]:
        """The conversation so far."""
        return [*self.prompt, *self.made]

    @property
    def read(self) -> list[int]:
        """What the model has been given of it: all but the last token, where that is not its stop."""
        return self.ids if self.stopped else self.ids[:-1]


class Generator:
    """Continues prompts together; one that goes on from what was read of it costs only what is new in it.

    Prompts are read one by one, each without padding, and continued side by side, on a CPU beside those of like length; those that have ended make
    room for the others. The model's own generation settings are left aside.
    """

    def __init__(self, model: PreTrainedModel, stop: int, decoding: Decoding) -> None:
        self.model, self.stop, self.decoding = model.eval(), stop, decoding
        self._heard: dict[Hashable, Heard] = {}
        """What was heard last stands last; as many as were ever continued at once."""
        self._begun: dict[Hashable, Begun] = {}
        """Turns to be gone on with."""
        self._most = 0
        self._plain = is_plain(empty_cache(model.config))

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def complete(self, prompts: Sequence[Sequence[int]], keys: Sequence[Hashable], seeds: Sequence[int]) -> list[list[int] | None]:
        """The next turn of each, without its stop. `keys`: what tells the conversations apart; `seeds`: of what is drawn for each turn.

        None: most others have ended and this one goes on, when it is asked for again by the same key and prompt.
        """
        if not self._plain:
            return list(self._by_transformers(prompts, seeds))
        self._make_room(keys)
        turns = [self._turn(prompt, key, seed) for prompt, key, seed in zip(prompts, keys, seeds, strict=True)]
        known, heard = [self._heard.pop(key, None) for key in keys], []
        for turn, key, before in zip(turns, keys, known, strict=True):
            heard.append(self._read(turn.read, before))
            self._heard[key] = heard[-1]
        for rows in self._companies([len(one.ids) for one in heard]):
            self._continue([heard[row] for row in rows], [turns[row] for row in rows])
        self._begun = {**self._begun, **{key: turn for key, turn in zip(keys, turns, strict=True) if not turn.over}}
        return [turn.made if turn.over else None for turn in turns]

    def _turn(self, prompt: Sequence[int], key: Hashable, seed: int) -> Begun:
        """The turn that was begun, or a new one."""
        begun = self._begun.pop(key, None)
        return begun if begun is not None and begun.prompt == prompt else Begun(prompt, _chance(seed))

    def _make_room(self, keys: Sequence[Hashable]) -> None:
        """Forget what was heard longest ago, as far as there is no room for new conversations."""
        self._most = max(self._most, len(keys))
        others = [key for key in self._heard if key not in keys]
        for key in others[: max(0, len(others) + len(keys) - self._most)]:
            del self._heard[key]
            self._begun.pop(key, None)

    def _read(self, ids: Sequence[int], heard: Heard | None) -> Heard:
        """Read what is new since a conversation was last heard."""
        heard = heard or self._begun_alike(ids) or Heard([], empty_cache(self.model.config))
        same = _in_common(ids, heard.ids)
        if same < len(heard.ids):
            heard.cache.crop(same - len(heard.ids))
        if same < len(ids):
            new = torch.tensor([list(ids[same:])], device=self.model.device)
            self.model(new, cache=heard.cache, use_cache=True, logits_to_keep=1)
        heard.ids = list(ids)
        return heard

    def _begun_alike(self, ids: Sequence[int]) -> Heard | None:
        """The beginning that a new conversation shares with one that is remembered."""
        like = max(self._heard.values(), key=lambda heard: _in_common(ids, heard.ids), default=None)
        same = 0 if like is None else _in_common(ids, like.ids)
        if like is None or same < _ALIKE:
            return None
        return Heard(list(ids[:same]), beginning(like.cache, same, self.model.config))

    def _companies(self, lengths: Sequence[int]) -> list[list[int]]:
        """Rows to be continued together: the cuts between shorter and longer ones that cost least, where every row costs what the longest does."""
        order = sorted(range(len(lengths)), key=lambda row: lengths[row])
        if self.model.device.type != "cpu":
            return [order]
        least: list[tuple[int, int]] = [(0, 0)]
        """For the first so many rows: what they cost, and where their last company begins."""
        for end in range(1, len(order) + 1):
            longest = lengths[order[end - 1]]
            least.append(min((least[start][0] + _STEP + (end - start) * longest, start) for start in range(end)))
        companies, end = [], len(order)
        while end:
            start = least[end][1]
            companies.append(order[start:end])
            end = start
        return companies

    def _continue(self, heard: Sequence[Heard], turns: Sequence[Begun]) -> None:
        """Say more of each turn, until all or most have ended; what is said counts as heard."""
        speaking = list(range(len(turns)))
        """Rows that are still in the batch, over or not."""
        device = self.model.device
        cache = side_by_side([one.cache for one in heard], self.model.config)
        lengths = torch.tensor([len(one.ids) for one in heard], device=device)
        tokens, chance = torch.tensor([turn.ids[-1] for turn in turns], device=device), Chance(self.decoding, [turn.chance for turn in turns])
        said = 0
        while True:
            width = cache.get_seq_length() + 1
            places = torch.arange(width, device=device)[None]
            mask = (places >= width - 1 - said - lengths[:, None]).long()
            positions = (lengths + said)[:, None]
            logits = self.model(tokens[:, None], attention_mask=mask, position_ids=positions, cache=cache, use_cache=True).logits[:, -1]
            tokens = chance(tokens[:, None], logits).argmax(-1)
            said += 1
            for row, token in zip(speaking, tokens.tolist(), strict=True):
                self._say(turns[row], token)
            left = [place for place, row in enumerate(speaking) if not turns[row].over]
            ends = len(left) < _FEW * len(turns) or not left
            if not ends and len(left) > _CROWDED * len(speaking):
                continue
            for place, row in enumerate(speaking):
                if ends or turns[row].over:
                    _remember(heard[row], turns[row], cache, place, said)
            if ends:
                return
            rows = torch.tensor(left, device=device)
            speaking = [speaking[place] for place in left]
            tokens, lengths = tokens[rows], lengths[rows]
            narrowed(cache, rows, int(lengths.max()) + said)
            chance = chance.of(left)

    def _say(self, turn: Begun, token: int) -> None:
        """One token more, where the turn is not over."""
        if turn.over:
            return
        turn.stopped = token == self.stop
        if not turn.stopped:
            turn.made.append(token)
        turn.over = turn.stopped or len(turn.made) >= self.decoding.max_tokens

    def _by_transformers(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[list[int]]:
        """The same for models that do not keep every token: all is read anew."""
        width = max(map(len, prompts))
        ids = torch.tensor([[self.stop] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=self.model.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.model.device)
        made = self.model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=self.decoding.max_tokens,
            do_sample=False,
            eos_token_id=self.stop,
            pad_token_id=self.stop,
            logits_processor=LogitsProcessorList([Chance(self.decoding, [_chance(seed) for seed in seeds])]),
        )
        return [row[: row.index(self.stop)] if self.stop in row else row for row in made[:, width:].tolist()]


def _remember(heard: Heard, turn: Begun, cache: DynamicCache, place: int, said: int) -> None:
    """Keep what was read of a turn in the last so many tokens of a row."""
    new = turn.read[len(heard.ids) :]
    append(heard.cache, cache, place, cache.get_seq_length() - said, len(new))
    heard.ids = turn.read


def _chance(seed: int) -> torch.Generator:
    """What one turn's tokens are drawn by."""
    return torch.Generator().manual_seed(derive(seed, "tokens") >> 1)


def _in_common(ids: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens two conversations begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))


class Chance(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's tokens by a seed of its own, so that they do not depend on what is generated beside them.

    The largest of logits with Gumbel noise is a draw from their distribution (Gumbel, 1954).
    """

    def __init__(self, decoding: Decoding, chances: Sequence[torch.Generator]) -> None:
        self._decoding, self._chances = decoding, chances
        self._warpers: list[Any] = []
        if decoding.temperature > 0:
            self._warpers.append(TemperatureLogitsWarper(decoding.temperature))
            if decoding.top_p < 1:
                self._warpers.append(TopPLogitsWarper(decoding.top_p))

    def of(self, rows: Sequence[int]) -> Chance:
        """The chance of some of the rows, as far as it has come."""
        return Chance(self._decoding, [self._chances[row] for row in rows])

    def __call__(self, input_ids: Any, scores: torch.Tensor) -> torch.Tensor:
        """Scores of which each row's largest is its choice: (rows, vocabulary)."""
        if not self._warpers:
            return scores
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        noise = torch.stack([torch.rand(scores.shape[1], generator=chance) for chance in self._chances])
        return scores.float() - (-noise.clamp_min(1e-30).log()).log().to(scores.device)
