"""English number: one night, two nights."""

from __future__ import annotations

import pytest

from synthtools.number import agreeing_with_ones, plural_of, singular_of

PAIRS = [("night", "nights"), ("copy", "copies"), ("day", "days"), ("box", "boxes"), ("batch", "batches"), ("piece of plant", "pieces of plant")]


@pytest.mark.parametrize(("one", "several"), PAIRS)
def test_nouns_for_several(one: str, several: str) -> None:
    """What is of something is counted by its head."""
    assert plural_of(one) == several


@pytest.mark.parametrize(("one", "several"), [*PAIRS[:-1], ("person", "people")])
def test_nouns_for_one(one: str, several: str) -> None:
    """Back from the plural."""
    assert singular_of(several) == one


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("give {stay} {n} more nights", "give {stay} {n} more night"),
        ("for {n} people, from here", "for {n} person, from here"),
        ("{n?for }days of it", "{n?for }day of it"),
        ("find people for the {n} most pressing {kind} tickets", "find people for the {n} most pressing {kind} ticket"),
        ("copy {n} is back", "copy {n} is back"),
        ("take {n} of the copies", "take {n} of the copies"),
        ("stop {n}, all places", "stop {n}, all places"),
        ("give {n} class places", "give {n} class place"),
        ("{other} nights", "{other} nights"),
    ],
)
def test_what_is_counted_agrees_with_one(template: str, words: str) -> None:
    """Only a plural that the count stands before is changed, and only where the count is one."""
    assert agreeing_with_ones(template, {"n": 1, "other": 2, "kind": "urgent"}) == words
    assert agreeing_with_ones(template, {"n": 3, "other": 2}) == agreeing_with_ones(template, {"n": True}) == template
