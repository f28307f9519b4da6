"""`synthtools serve` says in one line what it cannot do; what it does is proven with real clients in tests/adapters."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from agents.cli import invoke
from agents.cli.maker import make_maker
from agents.cli.output import BadInput
from packs import small_pack

PACK = str(small_pack())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one of --mcp stdio, --mcp http and --openenv"),
        (["--mcp", "http", "--openenv"], "give one of --mcp stdio, --mcp http and --openenv"),
        (["--mcp", "http", "--task", "x"], "only over stdio is there a first episode"),
        (["--mcp", "stdio", "--json"], "stdout is the protocol's"),
        (["--mcp", "telnet"], "'stdio', 'http'"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is loaded or listened at."""
    assert invoke(["serve", PACK, *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("arguments", [["--mcp", "stdio"], ["--mcp", "http"], ["--openenv"]])
def test_a_package_that_is_not_here_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it; an agent that needs it too."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None if name in ("mcp", "openenv") else found(name, package))
    assert invoke(["serve", PACK, *arguments]) == 2
    extra = "openenv" if arguments == ["--openenv"] else "mcp"
    assert f'pip install "synthtools[{extra}]"' in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"synthtools\[mcp\]"):
        make_maker("mcp:python agent.py")


@pytest.mark.parametrize(
    ("source", "arguments", "words"),
    [
        ("nothing", ["--mcp", "http"], "no pack here"),
        (PACK, ["--mcp", "http", "--key-variable", "SYNTHTOOLS_NO_SUCH"], "holds no key"),
        (PACK, ["--mcp", "stdio", "--key-variable", "HOME"], "only MCP over HTTP"),
    ],
)
def test_what_is_wrong_with_its_input_is_said(
    source: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the packages are asked for."""
    monkeypatch.chdir(tmp_path)
    assert invoke(["serve", source, *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
