"""Whose a container is, written so that anyone can tell later whether that process still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def owner() -> str:
    """This process: its machine, the machine's boot, the process number, and when it began."""
    return f"{socket.gethostname()}:{_boot()}:{os.getpid()}:{_began(os.getpid())}"


def is_gone(label: str) -> bool:
    """Whether the process that a label names runs no more. Of other machines, and of what is no label of ours, nothing is known: False."""
    machine, boot, pid, began = (label.split(":") + [""] * 4)[:4]
    if machine != socket.gethostname() or not pid.isdigit():
        return False
    return boot != _boot() or _began(int(pid)) != began


def process_of(label: str) -> int:
    """The process number that a label names."""
    return int(label.split(":")[2])


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _began(pid: int) -> str:
    """Clock ticks from boot to the process's start; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
