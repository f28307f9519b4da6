"""The identity of a toolkit: a hash over its files."""

from __future__ import annotations

import hashlib

from synthtools.domain import ToolkitCode


def files_digest(code: ToolkitCode) -> str:
    """Of the entry, and of every file's and check's name and content."""
    digest = hashlib.sha256(code.entry.encode())
    for name, data in sorted(code.files.items()):
        digest.update(f"\n{len(name)} {name} {len(data)}\n".encode())
        digest.update(data)
    for name, data in sorted(code.checks.items()):
        digest.update(f"\ncheck {len(name)} {name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
