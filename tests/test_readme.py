"""The README is true: its code runs, its tree is the tree, its generated part is fresh."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agents.cli.maker import make_maker
from agents.cli.settings import ChatFile
from readme_page import END, START, page
from synthtools.audit import audit_domain
from synthtools.blueprint import blueprint_schema
from synthtools.generate import generate_domain
from synthtools.load import load_domain

ROOT = Path(__file__).parent.parent
LANGUAGE = ROOT / "synthtools" / "catalog" / "LANGUAGE.md"
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
SHIPPED = ("synthtools", "envs", "agents", "benchmarks")


def tree() -> Iterator[tuple[str, str]]:
    """The (path, words) lines of the layout; two spaces of indentation a level."""
    block = next(text for kind, text in BLOCKS if kind == "text" and text.startswith("synthtools/"))
    folders: list[str] = []
    for line in block.splitlines():
        name, _, words = line.strip().partition(" ")
        folders = folders[: (len(line) - len(line.lstrip())) // 2]
        yield "".join(folders) + name, words.strip()
        if name.endswith("/"):
            folders.append(name)


def test_every_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who pastes the blocks in order, beside the files that the README shows, gets through without an error."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "readme"}
    printed = io.StringIO()
    for kind, text in BLOCKS:
        name = re.match(r"# (\S+\.(?:yaml|py))\n", text)
        if name:
            Path(name[1]).parent.mkdir(exist_ok=True)
            Path(name[1]).write_text(text, encoding="utf-8")
        if kind == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "README.md", "exec"), namespace)
    promised = re.search(r"print\(error\)  # (.+)", README)
    assert promised
    assert promised[1] in printed.getvalue().splitlines()


def test_the_tutorials_blueprint_passes_its_audit(tmp_path: Path) -> None:
    """What newcomers copy has no finding, and nothing in it is left unaudited."""
    path = tmp_path / "workshop.yaml"
    path.write_text(next(text for kind, text in BLOCKS if kind == "yaml" and text.startswith("# workshop.yaml")), encoding="utf-8")
    report = audit_domain(load_domain(path), thorough=False)
    assert (report.failures, report.unaudited) == ((), ())
    assert report.errors_reached == report.errors_documented


def test_the_chat_models_settings_are_read(tmp_path: Path) -> None:
    """The example gives keys that exist, with values of their types."""
    path = tmp_path / "chat.yaml"
    path.write_text(next(text for kind, text in BLOCKS if kind == "yaml" and text.startswith("# chat.yaml")), encoding="utf-8")
    assert ChatFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).budget_tokens == 2_000_000
    assert callable(make_maker(str(path)))


def test_the_language_reference_is_one_blueprint(tmp_path: Path) -> None:
    """Its YAML blocks, one after the other, compile, pass their audit and give tasks; it is short."""
    text = LANGUAGE.read_text(encoding="utf-8")
    path = tmp_path / "allotment_gardens.yaml"
    path.write_text("".join(re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)), encoding="utf-8")
    domain = load_domain(path)
    report = audit_domain(domain)
    assert (report.failures, report.unaudited) == ((), ())
    assert report.errors_reached == report.errors_documented
    assert len({task.kind for task in generate_domain(domain, 40, 0).tasks}) >= 6
    assert text.count("\n") <= 250


def test_the_language_reference_has_every_key() -> None:
    """A key that is added to the language is explained."""
    text = LANGUAGE.read_text(encoding="utf-8")
    schema = blueprint_schema()
    keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}
    assert len(keys) > 80
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", text)) == []


def test_every_path_in_the_tree_exists() -> None:
    """Nothing in the layout is gone, and each line says what it is in fewer than eight words."""
    lines = list(tree())
    assert [path for path, _ in lines if not (ROOT / path).exists()] == []
    assert [(path, words) for path, words in lines if not 0 < len(words.split()) < 8] == []


def test_every_module_is_in_the_tree() -> None:
    """A new module gets its line in the layout."""
    modules = {str(path.relative_to(ROOT)) for package in SHIPPED for path in (ROOT / package).rglob("*.py")}
    modules = {path for path in modules if not path.endswith(("__init__.py", "__main__.py")) and "/." not in path}
    assert sorted(modules - {path for path, _ in tree()}) == []


def test_the_generated_part_is_fresh() -> None:
    """`make page` would change nothing."""
    assert README.partition(START)[2].partition(END)[0].strip() == page().strip()


def test_every_link_to_a_file_leads_somewhere() -> None:
    """Relative links of the README, CONTRIBUTING and CHANGELOG exist."""
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == [], name


def test_every_test_that_contributing_names_exists() -> None:
    """CONTRIBUTING sends people to tests that are there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"tests/test_\w+\.py", text))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_the_changelog_knows_the_version() -> None:
    """The newest entry is Unreleased or the version that is built."""
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert headings[0] in ("Unreleased", project["version"])


def test_every_command_shown_exists() -> None:
    """Each `synthtools` command of a console block is a module of agents/cli; each `make` target is in the Makefile."""
    shown = re.findall(r"^\$ (synthtools|make) ([\w-]+)", README, re.MULTILINE)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for program, name in shown if program == "make"} <= targets
    assert [name for program, name in shown if program == "synthtools" and not (ROOT / f"agents/cli/{name}.py").is_file()] == []
