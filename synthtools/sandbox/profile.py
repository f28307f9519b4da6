"""The container's seccomp profile: an allow-list for the supervisor, from which each worker takes more away.

Default profiles of older engines let io_uring and memfd_create through; this one names what may be called, so neither is.
"""

from __future__ import annotations

import json
from typing import Any

from synthtools.sandbox.syscalls import ITSELF_CALLS, OWN_PROCESS_CALLS, WORKER_CALLS

_EPERM, _ENOSYS = 1, 38
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW* flags: with any of them `clone` is refused."""

_SUPERVISOR = """
    arch_prctl capget capset clock_nanosleep execve fork vfork wait4 waitid getpgid getsid setsid setpgid set_tid_address prctl seccomp
    setrlimit landlock_create_ruleset landlock_add_rule landlock_restrict_self connect socketpair tkill rt_sigtimedwait signalfd4
    rt_sigsuspend getdents fchdir fchown lchown chown fchownat setgid setuid setgroups setresgid setresuid statfs fstatfs
    sched_getparam sched_getscheduler sched_setaffinity getpriority sysinfo readahead openat2 epoll_create mlock munlock pause
    set_thread_area get_thread_area get_robust_list getitimer setitimer alarm ugetrlimit time link symlink linkat symlinkat getxattr
""".split()  # noqa: SIM905
"""What starting the interpreter and supervising takes besides."""


def seccomp_profile() -> str:
    """The profile as the engine takes it: JSON text."""
    allowed = sorted({*WORKER_CALLS, *OWN_PROCESS_CALLS, *ITSELF_CALLS, *_SUPERVISOR})
    rules: list[dict[str, Any]] = [
        {"names": allowed, "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    ]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": rules,
    }
    return json.dumps(profile)
