"""The order of training data: that of an epoch comes from the seed and the epoch alone, so that a training that goes on finds it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler

from synthtools.seed import derive


class ByEpoch(Sampler[int]):  # type: ignore[misc]
    """What a sampler that has a `generator` gives, drawn anew for every epoch."""

    def __init__(self, sampler: Any, seed: int) -> None:
        self._sampler, self._seed = sampler, seed
        sampler.generator = torch.Generator()
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes next, as accelerate's loaders say."""
        self._sampler.generator.manual_seed(derive(self._seed, "epoch", epoch) >> 1)

    def __iter__(self) -> Iterator[int]:
        """Places of rows."""
        return iter(self._sampler)

    def __len__(self) -> int:
        """How many there are in an epoch."""
        return len(self._sampler)


def order_by_epoch(trainer: Any) -> None:
    """Have a trainer of transformers go through its rows like that.

    Left alone, it draws the order of a later epoch from a state that its checkpoints do not hold: after a kill some rows come twice, others never.
    """
    make = trainer._get_train_sampler
    trainer._get_train_sampler = lambda *dataset: ByEpoch(make(*dataset), trainer.args.seed)
