"""Generation for many conversations at once, in which what was read before is not read again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList, PreTrainedModel, TemperatureLogitsWarper, TopPLogitsWarper

from agents.students.cache import can_crop, roomy_cache
from synthtools.seed import derive


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are chosen."""

    temperature: float = 0.0
    """0: always the likeliest."""
    top_p: float = 1.0
    max_tokens: int = 160
    """Of one turn."""


class Generator:
    """Continues prompts together; prompts that go on from the last ones cost only what is new in them."""

    def __init__(self, model: PreTrainedModel, stop: int, decoding: Decoding) -> None:
        self.model, self.stop, self.decoding = model.eval(), stop, decoding
        self._keys: list[Hashable] = []
        self._ids = torch.empty((0, 0), dtype=torch.long)
        """What has been read, a row a conversation, with `stop` where a row has nothing."""
        self._mask = torch.empty((0, 0), dtype=torch.long)
        self._cache = DynamicCache()

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def complete(self, prompts: Sequence[Sequence[int]], keys: Sequence[Hashable], seeds: Sequence[int]) -> list[list[int]]:
        """The next turn of each, without its stop. `keys`: what tells the conversations apart; `seeds`: of what is drawn for each turn."""
        read = self._kept(prompts, keys)
        self._append([list(prompt[len(before) :]) for prompt, before in zip(prompts, read, strict=True)])
        length = self._ids.shape[1]
        made = self.model.generate(
            self._ids.to(self.model.device),
            attention_mask=self._mask.to(self.model.device),
            cache=self._cache,
            max_new_tokens=self.decoding.max_tokens,
            do_sample=False,
            eos_token_id=self.stop,
            pad_token_id=self.stop,
            logits_processor=self._chance(seeds),
        )
        surplus = self._cache.get_seq_length() - length
        self._keys = list(keys) if self._shorten(surplus) else []
        return [self._until_stop(row) for row in made[:, length:].tolist()]

    def _kept(self, prompts: Sequence[Sequence[int]], keys: Sequence[Hashable]) -> list[list[int]]:
        """What has been read of each prompt already; nothing of any where one does not go on from what was read of it."""
        if self._keys and all(key in self._keys for key in keys):
            rows = [self._keys.index(key) for key in keys]
            read = [self._ids[row][self._mask[row].bool()].tolist() for row in rows]
            if all(len(before) < len(prompt) and list(prompt[: len(before)]) == before for prompt, before in zip(prompts, read, strict=True)):
                chosen = torch.tensor(rows)
                if rows != list(range(len(self._keys))):
                    self._cache.batch_select_indices(chosen.to(self.model.device))
                    self._ids, self._mask = self._ids[chosen], self._mask[chosen]
                return read
        self._cache = roomy_cache(self.model.config)
        self._ids = torch.empty((len(prompts), 0), dtype=torch.long)
        self._mask = torch.empty((len(prompts), 0), dtype=torch.long)
        return [[] for _ in prompts]

    def _append(self, news: Sequence[Sequence[int]]) -> None:
        """Put new tokens at the end of the rows, shorter ones behind a gap that is masked."""
        width = max(map(len, news))
        ids = [[self.stop] * (width - len(new)) + list(new) for new in news]
        mask = [[0] * (width - len(new)) + [1] * len(new) for new in news]
        self._ids = torch.cat([self._ids, torch.tensor(ids, dtype=torch.long)], dim=1)
        self._mask = torch.cat([self._mask, torch.tensor(mask, dtype=torch.long)], dim=1)

    def _shorten(self, surplus: int) -> bool:
        """Forget what was generated, which comes back as it is written down; False where the model's cache cannot."""
        if surplus > 0 and can_crop(self._cache):
            self._cache.crop(-surplus)
        return surplus <= 0 or can_crop(self._cache)

    def _until_stop(self, row: list[int]) -> list[int]:
        return row[: row.index(self.stop)] if self.stop in row else row

    def _chance(self, seeds: Sequence[int]) -> LogitsProcessorList:
        chosen = LogitsProcessorList()
        if self.decoding.temperature > 0:
            chosen.append(TemperatureLogitsWarper(self.decoding.temperature))
            if self.decoding.top_p < 1:
                chosen.append(TopPLogitsWarper(self.decoding.top_p))
            chosen.append(SeededChoice(seeds))
        return chosen


class SeededChoice(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's tokens by a seed of its own, so that they do not depend on what is generated beside them.

    The largest of logits with Gumbel noise is a draw from their distribution (Gumbel, 1954).
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._chances = [torch.Generator().manual_seed(derive(seed, "tokens") >> 1) for seed in seeds]

    def __call__(self, input_ids: Any, scores: torch.Tensor) -> torch.Tensor:
        """The scores with each row's noise."""
        noise = torch.stack([torch.rand(scores.shape[1], generator=chance) for chance in self._chances])
        return scores.float() - (-noise.clamp_min(1e-30).log()).log().to(scores.device)


