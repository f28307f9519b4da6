"""What a worker takes from itself before it runs a stranger's code: memory, time, processes, files. Linux only.

Resource limits, and Landlock where the kernel has it: the file system shrinks to the interpreter and one scratch folder.
System calls are `syscalls`'s part. None of it can be taken back.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9


class ConfinementError(OSError):
    """A limit that this kernel would not set: nothing may run without it."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Of one episode's worker."""

    memory: int
    """Bytes of address space beyond what it starts with."""
    cpu: int
    """Seconds of processor time in all."""
    files: int
    """Open files."""
    file_bytes: int
    """Of one file in its scratch folder."""


def die_with_parent() -> None:
    """Be killed when the supervisor is gone."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def limit(limits: WorkerLimits) -> None:
    """Resource limits: no further processes or threads, no core files, bounded memory, time and files."""
    bounds = {
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: _address_space() + limits.memory,
        resource.RLIMIT_CPU: limits.cpu,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for which, bound in bounds.items():
        resource.setrlimit(which, (bound, bound))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def prefer_to_be_killed() -> None:
    """When the container runs out of memory, it is a worker that goes, not the supervisor."""
    _prctl(_PR_SET_DUMPABLE, 1)  # what hides from /proc may not write there either
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def hide() -> None:
    """No sibling may read this process's memory or files through /proc, and no privilege can be gained."""
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise ConfinementError(ctypes.get_errno(), f"prctl {option} was refused")


# Landlock: https://docs.kernel.org/userspace-api/landlock.html; the three calls have the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ = 1 << 2 | 1 << 3  # read a file, list a folder
_EXECUTE = 1 << 0
_ALL_1 = (1 << 13) - 1  # ABI 1: execute, write, read, list, remove, make of every kind
_BY_ABI = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # refer, truncate, device ioctl
_SCOPES = 1 << 0 | 1 << 1  # ABI 6: no abstract sockets and no signals out of the domain
_NET = 1 << 0 | 1 << 1  # ABI 4: bind, connect
_O_PATH = 0o10000000


def landlock_abi() -> int:
    """The kernel's version of Landlock; 0 where it has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def landlock(readable: Iterable[str], scratch: str) -> bool:
    """Shrink the file system to what is named; False where the kernel has no Landlock."""
    abi = landlock_abi()
    if not abi:
        return False
    handled = _ALL_1
    for since, right in _BY_ABI:
        handled |= right if abi >= since else 0
    attributes = struct.pack("=QQQ", handled, _NET if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        raise ConfinementError(ctypes.get_errno(), "Landlock made no ruleset")
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        _allow(ruleset, "/dev/null", 1 << 1 | 1 << 2)
        if scratch:
            _allow(ruleset, scratch, handled & ~_EXECUTE & ~(1 << 6) & ~(1 << 11))  # no device nodes
        if _libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) != 0:
            raise ConfinementError(ctypes.get_errno(), "Landlock was refused")
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, _O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _EXECUTE | 1 << 1 | 1 << 2 | 1 << 14  # the rights that a file can have
        rule = struct.pack("=Qi", rights, place)
        if _libc.syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0)) != 0:
            raise ConfinementError(ctypes.get_errno(), f"Landlock took no rule for {path}")
    finally:
        os.close(place)
