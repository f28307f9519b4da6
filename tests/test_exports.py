"""A package's `__all__` is exactly what its `__init__` offers."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("synthtools", "envs", "agents")
PACKAGES = sorted(".".join(path.parent.relative_to(ROOT).parts) for name in OURS for path in (ROOT / name).rglob("__init__.py"))


def offered(tree: ast.Module) -> Iterator[str]:
    """Public names bound at a module's top level: defined, assigned, or imported from this project."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").partition(".")[0] in OURS):
            yield from (alias.asname or alias.name for alias in node.names)


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_what_is_offered(name: str) -> None:
    """Nothing public is missing from `__all__`, everything in it can be had, and it is in order.

    An `__init__` that defines functions of its own and declares no `__all__` is a module like any other.
    """
    module = importlib.import_module(name)
    tree = ast.parse((ROOT.joinpath(*name.split(".")) / "__init__.py").read_text(encoding="utf-8"))
    listed = list(getattr(module, "__all__", []))
    is_module = not listed and any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    assert is_module or {n for n in offered(tree) if not n.startswith("_")} == set(listed)
    assert [n for n in listed if not hasattr(module, n)] == []
    assert listed == sorted(set(listed))
