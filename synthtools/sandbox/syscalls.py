"""A worker's own seccomp filter: the system calls that an interpreter at work needs, and no others. Linux only.

It stands inside the container's profile (`profile`), which must still let the supervisor start, fork and connect. The
filter is classic BPF over `struct seccomp_data`; see https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from functools import cache

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL = 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _ARGUMENT_0, _ARGUMENT_0_HIGH = 0, 4, 16, 20
_X32 = 0x40000000

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Machine → (AUDIT_ARCH, column of the tables below)."""

_NONE = -1
WORKER_CALLS: dict[str, tuple[int, int]] = {
    # memory, signals, time, waiting
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136), "sigaltstack": (131, 132),
    "restart_syscall": (219, 128), "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "times": (100, 153), "futex": (202, 98), "sched_yield": (24, 124), "membarrier": (324, 283), "rseq": (334, 293),
    "set_robust_list": (273, 99), "poll": (7, _NONE), "ppoll": (271, 73), "select": (23, _NONE), "pselect6": (270, 72),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, _NONE), "epoll_pwait": (281, 22), "eventfd2": (290, 19),
    "exit": (60, 93), "exit_group": (231, 94), "wait4": (61, 260), "getrandom": (318, 278),
    # what there is, about itself
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175),
    "getegid": (108, 177), "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150), "getpgrp": (111, _NONE), "uname": (63, 160),
    "getrusage": (98, 165), "getrlimit": (97, 163), "sched_getaffinity": (204, 123), "getcwd": (79, 17), "umask": (95, 166),
    # open files
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "pwrite64": (18, 68), "preadv": (295, 69),
    "pwritev": (296, 70), "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "dup": (32, 23), "dup2": (33, _NONE), "dup3": (292, 24),
    "fcntl": (72, 25), "ioctl": (16, 29), "fstat": (5, 80), "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46),
    "fallocate": (285, 47), "fadvise64": (221, 223), "pipe": (22, _NONE), "pipe2": (293, 59), "copy_file_range": (326, 285),
    # the connection that it has
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210), "getsockname": (51, 204),
    "getsockopt": (55, 209), "setsockopt": (54, 208),
    # names: Landlock says which
    "open": (2, _NONE), "openat": (257, 56), "stat": (4, _NONE), "lstat": (6, _NONE), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, _NONE), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, _NONE), "readlinkat": (267, 78),
    "getdents64": (217, 61), "chdir": (80, 49), "mkdir": (83, _NONE), "mkdirat": (258, 34), "rmdir": (84, _NONE), "unlink": (87, _NONE),
    "unlinkat": (263, 35), "rename": (82, _NONE), "renameat": (264, 38), "renameat2": (316, 276), "chmod": (90, _NONE), "fchmod": (91, 52),
    "fchmodat": (268, 53), "utimensat": (280, 88), "truncate": (76, 45),
}  # fmt: skip
"""Call → its number on x86_64 and on aarch64."""

OWN_PROCESS_CALLS: dict[str, tuple[int, int]] = {"kill": (62, 129), "tgkill": (234, 131)}
"""Allowed where the first argument is the worker's own process."""
ITSELF_CALLS: dict[str, tuple[int, int]] = {"prlimit64": (302, 261)}
"""Allowed where the first argument is zero: itself."""
_CLONE3 = (435, 435)


_ANYONE = 0x7FFFFFFE
"""Stands for the worker's own process until a filter is installed; no process has this number."""


@cache
def prepare() -> bytes:
    """The filter but for the process that it is for: made once, before workers are forked."""
    return b"".join(_program(platform.machine(), _ANYONE))


def install(pid: int) -> None:
    """Filter this thread's system calls for good. Raises OSError where the kernel refuses or the machine is not known."""
    program = prepare().replace(struct.pack("=I", _ANYONE), struct.pack("=I", pid))
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), described, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the worker's seccomp filter was refused")


def _program(machine: str, pid: int) -> Iterator[bytes]:
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    arch, column = _MACHINES[machine]
    yield _do(_LOAD, _ARCH)
    yield _do(_EQUAL, arch, 1, 0)
    yield _do(_RETURN, _KILL)
    yield _do(_LOAD, _NUMBER)
    if machine == "x86_64":
        yield _do(_AT_LEAST, _X32, 0, 1)
        yield _do(_RETURN, _ERRNO | errno.EPERM)
    for number in sorted({numbers[column] for numbers in WORKER_CALLS.values()} - {_NONE}):
        yield _do(_EQUAL, number, 0, 1)
        yield _do(_RETURN, _ALLOW)
    for calls, wanted in ((OWN_PROCESS_CALLS, pid), (ITSELF_CALLS, 0)):
        for numbers in calls.values():
            yield from _only_with(numbers[column], wanted)
    yield _do(_EQUAL, _CLONE3[column], 0, 1)
    yield _do(_RETURN, _ERRNO | errno.ENOSYS)
    yield _do(_RETURN, _ERRNO | errno.EPERM)


def _only_with(number: int, wanted: int) -> Iterator[bytes]:
    """Allow a call whose first argument is this; leave other calls to what follows."""
    yield _do(_EQUAL, number, 0, 6)
    yield _do(_LOAD, _ARGUMENT_0_HIGH)
    yield _do(_EQUAL, 0, 0, 3)
    yield _do(_LOAD, _ARGUMENT_0)
    yield _do(_EQUAL, wanted, 0, 1)
    yield _do(_RETURN, _ALLOW)
    yield _do(_RETURN, _ERRNO | errno.EPERM)


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def forbid_programs() -> None:
    """For the supervisor, once it runs: no other program is ever started, by it or by what it forks."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    arch, column = _MACHINES[machine]
    refused = ((59, 221), (322, 281))
    parts = [_do(_LOAD, _ARCH), _do(_EQUAL, arch, 1, 0), _do(_RETURN, _KILL), _do(_LOAD, _NUMBER)]
    for numbers in refused:
        parts += [_do(_EQUAL, numbers[column], 0, 1), _do(_RETURN, _ERRNO | errno.EPERM)]
    program = b"".join([*parts, _do(_RETURN, _ALLOW)])
    buffer = ctypes.create_string_buffer(program, len(program))
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the supervisor's seccomp filter was refused")


__all__ = ["ITSELF_CALLS", "OWN_PROCESS_CALLS", "WORKER_CALLS", "forbid_programs", "install"]
