"""Randomness: every generator's seed is derived by hashing names, never by `hash()`, never from the host."""

from __future__ import annotations

import hashlib
import random


def derive(*names: object) -> int:
    """A 64-bit seed for a path of names: the same on every machine and in every process."""
    text = "/".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def generator(*names: object) -> random.Random:
    """A random generator for a path of names."""
    return random.Random(derive(*names))
