"""What a model has read: kept a conversation at a time, laid side by side while it speaks; nothing is copied for a new token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 128
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
        key_room, value_room = (_room(held, held.shape[0], length) for held in (self.keys, self.values))
        for room, held in ((key_room, self.keys), (value_room, self.values)):
            room[..., : held.shape[-2], :] = held
        self._rooms = (key_room, value_room)
        return self._rooms


def empty_cache(config: Any) -> DynamicCache:
    """An empty cache for the model of a configuration; layers that slide or keep something else stay as transformers makes them."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def is_plain(cache: DynamicCache) -> bool:
    """Whether every layer keeps every token, so that the last can be forgotten and conversations laid side by side."""
    return all(type(layer) is RoomyLayer for layer in cache.layers)


def side_by_side(caches: Sequence[DynamicCache], config: Any) -> DynamicCache:
    """One cache, a row each; shorter ones end where the longest does and have nothing, which must be masked, before them."""
    made, width = empty_cache(config), max(cache.get_seq_length() for cache in caches)
    for number, layer in enumerate(made.layers):
        rows = [(cache.layers[number].keys, cache.layers[number].values) for cache in caches if cache.get_seq_length()]
        if not rows:
            continue
        layer.lazy_initialization(*rows[0])
        rooms = tuple(_room(held, len(caches), width) for held in rows[0])
        for row, cache in enumerate(caches):
            length = cache.get_seq_length()
            for room, held in zip(rooms, (cache.layers[number].keys, cache.layers[number].values), strict=True):
                room[row, :, : width - length] = 0
                if length:
                    room[row, :, width - length : width] = held[0]
        layer._rooms = rooms
        layer.keys, layer.values = (room[..., :width, :] for room in rooms)
    return made


def beginning(cache: DynamicCache, length: int, config: Any) -> DynamicCache:
    """A cache of its own that holds the first so many tokens of a conversation."""
    made = empty_cache(config)
    for layer, source in zip(made.layers, cache.layers, strict=True):
        layer.update(source.keys[..., :length, :], source.values[..., :length, :])
    return made


def append(cache: DynamicCache, source: DynamicCache, row: int, first: int, count: int) -> None:
    """Add some tokens of a row of another cache, so many from the first."""
    for layer, other in zip(cache.layers, source.layers, strict=True):
        layer.update(*(held[row : row + 1, :, first : first + count] for held in (other.keys, other.values)))


def narrowed(cache: DynamicCache, rows: torch.Tensor, width: int) -> None:
    """Keep these rows of a cache, and of them the last `width` tokens."""
    for layer in cache.layers:
        first = layer.keys.shape[-2] - width
        layer.keys, layer.values = (held[rows, :, first:] for held in (layer.keys, layer.values))


def _room(like: torch.Tensor, rows: int, length: int) -> torch.Tensor:
    return like.new_empty((rows, like.shape[1], length + max(ROOM, length // 4), like.shape[-1]))
