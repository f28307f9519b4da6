"""Domains by file: the split is that of the field, however the field is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from small import TEXT
from synthtools.catalog import catalog, splits
from synthtools.load import load_domain

TEST = next(field for field, split in splits().items() if split == "test")


@pytest.mark.parametrize(
    "line",
    [
        f"field: {TEST}",
        f'field: "{TEST}"',
        f"field: '{TEST}'",
        f"field:   {TEST}",
        f"field: {TEST}   # the trade",
        f"# a field: note\nfield: {TEST}",
        f"field : {TEST}",
        f'"field": {TEST}',
    ],
)
def test_the_split_is_the_fields(tmp_path: Path, line: str) -> None:
    """Quotes, spaces and comments change nothing."""
    path = tmp_path / "shed.yaml"
    path.write_text(TEXT.replace("field: Testing", line))
    domain = load_domain(path)
    assert (domain.field, domain.split) == (TEST, "test")


def test_a_field_of_ones_own_is_of_train(tmp_path: Path) -> None:
    """The catalogue says nothing of it."""
    path = tmp_path / "shed.yaml"
    path.write_text(TEXT)
    assert load_domain(path).split == "train"


def test_the_catalogue_knows_the_field_without_compiling() -> None:
    """What it reads of a file is what the domain says."""
    for entry in list(catalog().values())[::5]:
        domain = load_domain(entry.name)
        assert (domain.field, domain.split) == (entry.field, entry.split)
