"""The cache folder: what is kept is given back, what is not to be trusted is built again, and it can be done without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from small import TEXT
from synthtools.cache import cache_folder, remembered
from synthtools.compile import compile_text, compiled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of this test's own."""
    monkeypatch.setenv("SYNTHTOOLS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Built:
    """Builds bytes, and counts how often."""

    def __init__(self, data: bytes = b"built") -> None:
        self.data, self.times = data, 0

    def __call__(self) -> bytes:
        """The bytes."""
        self.times += 1
        return self.data


def kept(folder: Path) -> Path:
    """The one file in a cache folder."""
    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    return file


def test_what_was_built_is_not_built_again(folder: Path) -> None:
    """The second call gets the first one's bytes; another key or kind gets its own."""
    first, second = Built(b"one"), Built(b"two")
    assert [remembered("kind", "key", first), remembered("kind", "key", second)] == [b"one", b"one"]
    assert [remembered("kind", "other", second), remembered("sort", "key", second)] == [b"two", b"two"]
    assert (first.times, second.times) == (1, 2)
    assert folder.is_dir()


def test_nobody_else_can_write_what_is_kept(folder: Path) -> None:
    """Files are their owner's alone, and nothing half-written lies beside them."""
    remembered("kind", "key", Built())
    assert kept(folder).stat().st_mode & 0o777 == 0o600
    assert kept(folder).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes() + b"more"),
        lambda file: file.write_bytes(file.read_bytes()[:32] + b"other"),
        lambda file: file.write_bytes(b"\x00" * 31),
        lambda file: file.chmod(0o620),
        lambda file: file.chmod(0o602),
    ],
)
def test_a_file_not_to_be_trusted_is_built_again(folder: Path, damage: Callable[[Path], object]) -> None:
    """Cut, changed, or writable by others: it is built again, and then is whole and closed."""
    remembered("kind", "key", Built(b"whole"))
    damage(kept(folder))
    again = Built(b"whole")
    assert remembered("kind", "key", again) == b"whole"
    assert again.times == 1
    assert kept(folder).stat().st_mode & 0o777 == 0o600
    assert remembered("kind", "key", again) == b"whole"
    assert again.times == 1


def test_a_file_moved_to_another_key_is_refused(folder: Path) -> None:
    """Whole and ours, but kept under another key."""
    remembered("kind", "key", Built(b"one"))
    moved = kept(folder)
    remembered("kind", "other", Built(b"two"))
    (other,) = [path for path in folder.rglob("*") if path.is_file() and path != moved]
    moved.replace(other)
    assert remembered("kind", "other", Built(b"two")) == b"two"
    assert remembered("kind", "other", Built(b"never")) == b"two"


@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("which", [".", "kind"])
def test_a_folder_that_others_can_write_is_done_without(folder: Path, which: str, mode: int) -> None:
    """Whoever can put files there could put ours in another's place."""
    remembered("kind", "key", Built())
    (folder / which).chmod(mode)
    build = Built(b"new")
    assert [remembered("kind", "key", build) for _ in range(2)] == [b"new"] * 2
    assert build.times == 2


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """What is read is the file that was looked at."""
    remembered("kind", "key", Built(b"whole"))
    file = kept(folder)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    again = Built(b"whole")
    assert (remembered("kind", "key", again), again.times) == (b"whole", 1)


def test_empty_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is built each time, and there is no folder."""
    monkeypatch.setenv("SYNTHTOOLS_CACHE", "")
    build = Built()
    assert [remembered("kind", "key", build) for _ in range(3)] == [b"built"] * 3
    assert (build.times, cache_folder()) == (3, None)


def test_a_folder_that_cannot_be_written_is_done_without(folder: Path) -> None:
    """A file where the folder would be stops nobody."""
    folder.write_text("a file")
    build = Built()
    assert [remembered("kind", "key", build) for _ in range(2)] == [b"built"] * 2
    assert build.times == 2


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Named by our variable, else below the user's cache folder."""
    monkeypatch.setenv("SYNTHTOOLS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SYNTHTOOLS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "synthtools"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "synthtools"


def test_a_domain_from_the_cache_is_the_domain(folder: Path) -> None:
    """Compiled, remembered, and built again after damage: three times the same."""
    made = [compiled(TEXT, "small.yaml")]
    made.append(compiled(TEXT, "small.yaml"))
    kept(folder).write_bytes(b"not a domain")
    made.append(compiled(TEXT, "small.yaml"))
    assert made == [compile_text(TEXT, "small.yaml")] * 3
