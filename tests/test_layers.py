"""Imports point one way, importing is cheap, our names are ours, and modules stay small."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {"synthtools": {"synthtools"}, "envs": {"synthtools", "envs"}, "agents": {"synthtools", "envs", "agents"}}
HEAVY = ("torch", "transformers", "docker", "ray", "pyarrow", "mcp", "openenv", "uvicorn", "starlette", "inspect_ai", "trl", "openai")
NOT_ON_IMPORT = {"synthtools": (*HEAVY, "gymnasium"), "envs": HEAVY, "agents": HEAVY}
LINES = 300
LONGER = {
    "synthtools/blueprint.py": (450, "the whole language in one place, so that a reader looks in one place"),
}
"""Module → (its own bound, the reason). A bound here is a debt; the aim is to have none."""
MODULES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The top-level names that a module imports anywhere in it; a relative import is its own package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield path.relative_to(ROOT).parts[0] if node.level else (node.module or "").partition(".")[0]


def run(code: str, folder: Path = ROOT) -> str:
    """What a fresh interpreter prints."""
    command, environ = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """Agents use envs, envs use synthtools, never the other way; nothing shipped imports tests or benchmarks."""
    package = path.relative_to(ROOT).parts[0]
    ours = {*MAY_IMPORT, "tests", "benchmarks"}
    assert set(imported(path)) & ours <= MAY_IMPORT[package]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_importing_is_light(package: str) -> None:
    """What only some uses need is imported where it is used, and importing prints nothing."""
    output = run(f"import sys, {package}; print(*sorted(sys.modules))")
    loaded = {name.partition(".")[0] for name in output.split()}
    assert output.count("\n") == 1
    assert package in loaded
    assert loaded & set(NOT_ON_IMPORT[package]) == set()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_name_is_ours(package: str, tmp_path: Path) -> None:
    """No installed distribution shadows a top-level name of this project, and each package says it is typed."""
    found = run(f"import {package}; print({package}.__file__)", tmp_path).strip()
    spec = importlib.util.find_spec(package)
    assert Path(found) == ROOT / package / "__init__.py"
    assert spec is not None
    assert Path(str(spec.origin)) == Path(found)
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "benchmarks").glob("*.py"))], ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_say_what_they_are(path: Path) -> None:
    """A module opens with a sentence and stays within its bound; one that has shrunk leaves the list of the long ones."""
    name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    lines, (bound, _) = text.count("\n"), LONGER.get(name, (LINES, ""))
    assert lines <= bound
    assert ast.get_docstring(ast.parse(text))
    assert name not in LONGER or lines > LINES


def test_only_long_modules_that_exist_are_listed() -> None:
    """The list of long modules holds no dead entries."""
    assert [name for name in LONGER if not (ROOT / name).is_file()] == []
