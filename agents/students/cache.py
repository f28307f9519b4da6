"""What a model has read, kept with room at the end: a new token is written there, and nothing before it copied."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 256
"""Tokens that new room is for, at least."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values as views of larger tensors, (batch, heads, tokens, size) each; the layer it stands for copies all at every token."""

    _rooms: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **settings: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new keys and values; returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before, more = self.get_seq_length(), key_states.shape[-2]
        if not before:
            self.keys, self.values = key_states[..., :0, :], value_states[..., :0, :]
        rooms = self._rooms_for(before + more)
        for room, new in zip(rooms, (key_states, value_states), strict=True):
            room[..., before : before + more, :] = new
        self.keys, self.values = (room[..., : before + more, :] for room in rooms)
        return self.keys, self.values

    def _rooms_for(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The tensors that hold what there is with place for so many tokens: those at hand, if the views are still theirs."""
        if self._rooms is not None and self._rooms[0].shape[-2] >= length and self.keys.data_ptr() == self._rooms[0].data_ptr():
            return self._rooms
        rooms = []
        for held in (self.keys, self.values):
            room = held.new_empty((*held.shape[:-2], length + max(ROOM, length // 4), held.shape[-1]))
            room[..., : held.shape[-2], :] = held
            rooms.append(room)
        self._rooms = (rooms[0], rooms[1])
        return self._rooms


def roomy_cache(config: Any) -> DynamicCache:
    """An empty cache for the model of a configuration; layers that slide or keep something else stay as transformers makes them."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def can_crop(cache: DynamicCache) -> bool:
    """Whether the last tokens can be forgotten again."""
    return all(type(layer) in (DynamicLayer, RoomyLayer) for layer in cache.layers)
