"""A toolkit inside a pack: its files and its description, kept so that nothing of it need run to read it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from synthtools.domain import Domain, ToolkitCode
from synthtools.replacing import replacing

DESCRIPTION = "description.json"
_MOST = 64 * 2**20


def save_code(folder: Path, domain: Domain) -> dict[str, Any]:
    """Write a toolkit's files and description; gives what the manifest says of them."""
    code = domain.toolkit
    if code is None:
        raise ValueError(f"{domain.name} is no toolkit")
    for name, data in code.files.items():
        _write(folder / "files" / name, data)
    for name, data in code.checks.items():
        _write(folder / "checks" / name, data)
    _write(folder / DESCRIPTION, domain.source.encode())
    description = hashlib.sha256(domain.source.encode()).hexdigest()
    return {"entry": code.entry, "files": _hashes(code.files), "checks": _hashes(code.checks), "description": description}


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}


def load_code_of(folder: Path, described: Mapping[str, Any], *, trust: bool) -> Domain:
    """The domain of a toolkit in a pack, from its description alone. Raises ValueError for anything that is not as it was written."""
    from synthtools.toolkit.description import toolkit_domain

    told = described["toolkit"]
    files = {str(name): _read(folder / "files", str(name), str(digest)) for name, digest in told["files"].items()}
    checks = {str(name): _read(folder / "checks", str(name), str(digest)) for name, digest in told["checks"].items()}
    text = _read(folder, DESCRIPTION, str(told["description"]))
    domain = toolkit_domain(orjson.loads(text), ToolkitCode(str(told["entry"]), files, checks, trusted=trust), str(described["split"]))
    if domain.digest != described["digest"]:
        raise ValueError("differs from what the pack was made with")
    return domain


def _read(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of the pack")
    try:
        if path.stat().st_size > _MOST:
            raise ValueError(f"{name} is too large")
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name} differs from what the pack was made with")
    return data


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)
