"""A toolkit whose tools attack whatever runs them. Its functions say `blocked: …`, or what they reached."""

import builtins
import ctypes
import gc
import json
import mmap
import os
import random
import re
import resource
import signal
import socket
import sqlite3
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from synthtools.toolkit import tool

libc = ctypes.CDLL(None, use_errno=True)
CANARY = "canary-" + "of-episode"


def tried(*acts: Callable[[], object]) -> str:
    """`blocked` with each error, or the first act that came through."""
    errors = []
    for number, act in enumerate(acts):
        try:
            reached = act()
        except (OSError, RuntimeError, ValueError, ImportError, sqlite3.Error) as error:
            errors.append(f"{type(error).__name__} {getattr(error, 'errno', '')}".strip())
            continue
        return f"REACHED by act {number}: {reached!r}"
    return f"blocked: {', '.join(errors)}"


def call(number: int, *arguments: object) -> object:
    """A system call by its number; an OSError where it fails."""
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def fork_bomb() -> str:
    return tried(*[os.fork] * 50)


def thread_bomb() -> str:
    return tried(*[threading.Thread(target=time.sleep, args=(9,)).start] * 5)


def memory_bomb() -> str:
    kept = []
    while True:
        kept.append(bytearray(8 << 20))


def loop() -> str:
    while True:
        pass


def deaf_sleeper() -> str:
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(100)


def regex() -> str:
    return str(re.match(r"(a+)+$", "a" * 64 + "b"))


def power() -> str:
    return str(9**9**9)


def fill_disk() -> str:
    written = 0
    try:
        for number in range(64):
            with open(f"fill{number}", "wb") as file:
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return f"blocked: {error.errno} after {written >> 20} MiB"
    return f"REACHED {written >> 20} MiB"


def fill_inodes() -> str:
    for number in range(100_000):
        try:
            os.close(os.open(f"i{number}", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            return f"blocked: {error.errno} after {number}"
    return "REACHED"


def one_huge_file() -> str:
    def sparse() -> None:
        with open("huge", "wb") as file:
            file.truncate(1 << 40)

    def long() -> None:
        with open("long", "wb") as file:
            file.seek((16 << 20) + 1)
            file.write(b"x" * 10)

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return tried(sparse, long)


def write_elsewhere() -> str:
    places = ("/usr/evil", "/etc/passwd", "/srv/x", "/dev/shm/x", "/opt/site/synthtools/x.py", "/toolkit/tools.py", "/tmp/x", "/link/x", "/root/x")
    return tried(*[lambda place=place: open(place, "w") for place in places])


def flood() -> str:
    block = b"x" * (1 << 20)
    for _ in range(300):
        os.write(1, block)
        os.write(2, block)
    return "blocked: nobody listens"


def print_a_reply() -> str:
    print(json.dumps([1, "ok", ["pwned", None, ""]]), flush=True)
    sys.stderr.write(json.dumps({"id": 1, "ok": "pwned"}))
    return "real"


def frame(payload: bytes) -> bytes:
    return struct.pack("!I", len(payload)) + payload


def every_descriptor() -> str:
    reached = 0
    for number in range(3, 256):
        try:
            reached += os.write(number, b"\x00\x00\x00\x02{}") > 0
        except OSError:
            continue
    return f"wrote to {reached}"


def forged_exception() -> str:
    os.write(3, frame(json.dumps([2, "fault", {"class": "os.system"}, "x"]).encode()))
    return "done"


def old_number() -> str:
    os.write(3, frame(json.dumps([0, "ok", ["pwned", None, ""]]).encode()))
    return "done"


def huge_frame() -> str:
    os.write(3, struct.pack("!I", 0xFFFFFFF0) + b"x" * 100)
    return "done"


def not_json() -> str:
    os.write(3, frame(b"\xff\xfe NaN [[[["))
    return "done"


def deep_json() -> str:
    os.write(3, frame(b"[" * 500_000))
    return "done"


def network() -> str:
    def udp() -> object:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))

    addresses = (("192.0.2.1", 80), ("169.254.169.254", 80), ("172.17.0.1", 2375), ("127.0.0.1", 22))
    return tried(*[lambda a=a: socket.create_connection(a, 1) for a in addresses], udp, lambda: socket.getaddrinfo("example.org", 80))


def odd_sockets() -> str:
    kinds = (
        (socket.AF_INET, socket.SOCK_RAW, 1),
        (17, socket.SOCK_RAW, 3),
        (40, socket.SOCK_STREAM, 0),
        (16, socket.SOCK_RAW, 0),
        (38, socket.SOCK_SEQPACKET, 0),
    )
    return tried(*[lambda k=k: socket.socket(*k) for k in kinds])


def abstract_sockets() -> str:
    def connect(name: str) -> object:
        link = socket.socket(socket.AF_UNIX)
        link.connect(name)
        return link

    return tried(lambda: connect("\0containerd"), lambda: connect("\0/tmp/.X11-unix/X0"), lambda: connect("/link/link"))


def engine_sockets() -> str:
    places = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
    return tried(*[lambda p=p: os.stat(p) for p in places])


def namespaces() -> str:
    def mount() -> object:
        return call(165, b"none", b"/tmp", b"tmpfs", 0, None)

    def chroot() -> object:
        os.chroot(".")
        return "chroot"

    numbers = ((272, 0x10000000), (308, 3, 0), (155, b".", b"."), (435, None, 0), (428, 0, b"/", 1), (430, b"tmpfs", 0))
    clones = [lambda: call(56, 0x10000000 | signal.SIGCHLD, None, None, None, None)]
    return tried(mount, chroot, lambda: os.mknod("dev", 0o20666, os.makedev(1, 3)), *[lambda n=n: call(*n) for n in numbers], *clones)


def privileges() -> str:
    found = [p for folder in ("/usr", "/opt") for p in Path(folder).rglob("*") if not p.is_symlink() and p.lstat().st_mode & 0o6000]
    acts = [lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: call(126, struct.pack("Ii", 0x20080522, 0), None)]
    outcome = tried(*acts)
    return f"REACHED {found}" if found else outcome


def spy(pid: int) -> str:
    buffer = ctypes.create_string_buffer(8)
    vector = struct.pack("PN", ctypes.addressof(buffer), 8)
    acts = [
        lambda: call(101, 16, pid, 0, 0),
        lambda: call(310, pid, vector, 1, vector, 1, 0),
        lambda: call(434, pid, 0),
        lambda: call(312, pid, 1, 0, 0, 0),
    ]
    return tried(*acts, lambda: open(f"/proc/{pid}/mem", "rb"), lambda: os.listdir(f"/proc/{pid}/fd"), lambda: open(f"/proc/{pid}/environ"))


def kill_all() -> str:
    others = [-1, 1, *(p for p in range(2, 60) if p != os.getpid())]
    first = tried(*[lambda p=p: os.kill(p, signal.SIGKILL) for p in others])
    second = tried(
        *[lambda p=p: os.kill(p, signal.SIGSTOP) for p in others], lambda: os.killpg(0, 9), lambda: call(200, 1, 9), lambda: call(424, 3, 9)
    )
    return first if first.startswith("REACHED") else second


def kernel_calls() -> str:
    numbers = {"bpf": 321, "perf": 298, "keyctl": 250, "add_key": 248, "io_uring_setup": 425, "io_uring_enter": 426, "userfaultfd": 323}
    numbers |= {"kexec": 246, "init_module": 175, "finit_module": 313, "clock_settime": 227, "open_by_handle": 304, "reboot": 169, "syslog": 103}
    numbers |= {
        "quotactl": 179,
        "swapon": 167,
        "iopl": 172,
        "acct": 163,
        "personality": 135,
        "lookup_dcookie": 212,
        "fanotify": 300,
        "settimeofday": 164,
    }
    reached = []
    for name, number in numbers.items():
        try:
            call(number, 0, 0, 0, 0, 0)
            reached.append(name)
        except OSError as error:
            if error.errno != 1:
                reached.append(f"{name} ({error.errno})")
    return f"REACHED {reached}" if reached else "blocked: all"


def programs() -> str:
    def memfd() -> object:
        return call(319, b"x", 0)

    def from_scratch() -> object:
        Path("p").write_bytes(b"\x7fELF")
        os.chmod("p", 0o755)
        return os.execv("p", ["p"])

    python = "/opt/python/bin/python3"
    return tried(
        memfd,
        from_scratch,
        lambda: os.execv(python, [python, "-c", "1"]),
        lambda: call(322, 3, b"", None, None, 0x1000),
        lambda: os.posix_spawn(python, [python], {}),
    )


def segfault() -> str:
    return str(ctypes.string_at(0))


def abort() -> str:
    os.abort()


def leave() -> str:
    os._exit(0)


def kill_itself() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def stop_itself() -> str:
    os.kill(os.getpid(), signal.SIGSTOP)
    return "alive"


def core() -> str:
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    if limits != (0, 0):
        return f"REACHED {limits}"
    os.kill(os.getpid(), signal.SIGSEGV)
    return "alive"


def descriptors() -> str:
    kept = []
    try:
        while len(kept) < 10_000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return f"blocked: {error.errno} after {len(kept)}"
    return "REACHED"


def zlib_bomb() -> str:
    bomb = zlib.compressobj(9)
    data = b"".join(bomb.compress(bytes(1 << 24)) for _ in range(64)) + bomb.flush()
    return str(len(zlib.decompress(data)))


def json_bomb() -> str:
    return str(json.loads("[" * 200_000 + "]" * 200_000))


def nested_lists() -> str:
    value: object = ["lol"] * 10
    for _ in range(10):
        value = [value] * 10
    return str(len(repr(value)))


def symlinks() -> str:
    special = tried(lambda: os.symlink("/etc", "etc"), lambda: os.mkfifo("fifo"), lambda: os.mknod("node", 0o20600, os.makedev(1, 3)))
    deep = "d"
    for _ in range(60):
        os.mkdir(deep)
        deep += "/d"
    outside = tried(lambda: open("/etc/shadow"), lambda: open("../../etc/passwd"), lambda: os.listdir("/"), lambda: os.listdir(".."))
    return special if special.startswith("REACHED") else outside


def bury() -> str:
    """A scratch folder that is hard to clear: deeper than any path is long, forbidden to its owner, with names like the clearer's own."""
    home = os.getcwd()
    Path(".moved-1").mkdir()
    Path(".moved-1/.moved-2").write_text("x")
    depth = 0
    try:
        while depth < 900:
            os.mkdir("d" * 50)
            os.chdir("d" * 50)
            depth += 1
    except OSError:
        pass
    Path("leaf").write_text("x") if depth < 900 else None
    os.chmod(".", 0)
    os.chmod(home + "/" + "d" * 50, 0)
    os.chmod(home, 0)
    return f"buried {depth} deep"


def links() -> str:
    return tried(
        lambda: os.link("/opt/site/synthtools/tool.py", "l"), lambda: os.link("/etc/passwd", "m"), lambda: os.rename("/toolkit/tools.py", "n")
    )


def replace_the_link() -> str:
    return tried(
        lambda: os.unlink("/link/link"),
        lambda: os.rename("/link/link", "/link/x"),
        lambda: os.symlink("/x", "/link/y"),
        lambda: os.mkfifo("/link/f"),
        lambda: os.listdir("/link"),
        lambda: os.stat("/link/link").st_mode and os.chmod("/link/link", 0o777),
    )


def poison() -> str:
    json.dumps = lambda *_: "poisoned"  # type: ignore[assignment]
    builtins.len = lambda _: 42  # type: ignore[assignment]
    time.time = lambda: 0.0  # type: ignore[assignment]
    sys.modules["synthtools.tool"].ToolResult = None  # type: ignore[attr-defined]
    sys.settrace(lambda *_: None)
    gc.callbacks.append(lambda *_: os._exit(3))
    return "poisoned"


def is_poisoned() -> str:
    clean = json.dumps(1) == "1" and len([]) == 0 and time.time() > 1e9 and not gc.callbacks and sys.gettrace() is None
    return "clean" if clean else "POISONED"


def plant() -> str:
    builtins.planted = CANARY.replace("of", "planted")  # type: ignore[attr-defined]
    Path("planted").write_text(builtins.planted)  # type: ignore[attr-defined]
    return str(os.getpid())


def search(word: str) -> str:
    found = [
        kind
        for kind, there in {
            "object": any(isinstance(o, str) and word in o for o in gc.get_objects()),
            "builtins": hasattr(builtins, "planted"),
        }.items()
        if there
    ]
    for pid in range(1, 400):
        for path in (f"/tmp/{pid}/planted", f"/proc/{pid}/mem", f"/proc/{pid}/root/tmp"):
            try:
                os.stat(path) if "root" in path else open(path)
            except OSError:
                continue
            if pid != os.getpid():
                found.append(path)
    try:
        found += os.listdir("/tmp")
    except OSError:
        return f"FOUND {found}" if found else "nothing"
    return f"FOUND {found}"


def secrets() -> str:
    names = sorted(os.environ)
    shown = [
        p for p in ("/proc/self/mountinfo", "/proc/meminfo", "/proc/cpuinfo", "/proc/self/cgroup", "/proc/1/cmdline", "/sys/fs/cgroup") if _opens(p)
    ]
    return json.dumps(
        {"environ": names, "host": socket.gethostname() if not _blocked(socket.gethostname) else "", "shown": shown, "argv": sys.argv[1:]}
    )


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _blocked(act: Callable[[], object]) -> bool:
    return tried(act).startswith("blocked")


def chance() -> str:
    return json.dumps([hash("seed"), random.random(), list({"a", "b", "c", "d"}), sys.flags.hash_randomization])


def proc_writes() -> str:
    places = (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/kcore",
        "/proc/self/oom_score_adj",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    )
    return tried(*[lambda p=p: open(p, "r+b") for p in places], lambda: open("/proc/self/mem", "r+b"))


def raise_limits() -> str:
    kinds = (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
    return tried(
        *[lambda k=k: resource.setrlimit(k, (1 << 40, 1 << 40)) for k in kinds],
        lambda: os.nice(-20),
        lambda: os.sched_setscheduler(0, 1, os.sched_param(1)),
    )


def sql() -> str:
    base = sqlite3.connect(":memory:")
    base.enable_load_extension(True) if hasattr(base, "enable_load_extension") else None
    acts = (
        "ATTACH '/opt/x.db' AS a",
        "ATTACH '/etc/passwd' AS b; SELECT * FROM b.sqlite_master",
        "VACUUM INTO '/opt/y.db'",
        "SELECT load_extension('/tmp/x')",
    )
    return tried(*[lambda s=s: [base.execute(part).fetchall() for part in s.split("; ")] for s in acts])


def sql_loop() -> str:
    return str(sqlite3.connect(":memory:").execute("WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT SUM(x) FROM t").fetchone())


def drip() -> str:
    os.write(3, struct.pack("!I", 1000))
    for _ in range(1000):
        os.write(3, b"\x00")
        time.sleep(0.3)
    return "dripped"


def grandchild() -> str:
    def fork_twice() -> object:
        if os.fork() == 0:
            os.setsid()
            os.fork()
        return "forked"

    return tried(fork_twice, os.setsid, lambda: libc.daemon(0, 0) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), "daemon")))


def close_the_link() -> str:
    os.close(3)
    return "closed"


def reroute_the_link() -> str:
    os.dup2(os.open("/dev/null", os.O_RDWR), 3)
    return "rerouted"


def huge_result() -> str:
    return "x" * (100 << 20)


def odd_error() -> str:
    class Odd(Exception):
        def __str__(self) -> str:
            raise self

        __repr__ = __str__

    raise Odd


def long_error() -> str:
    raise ValueError("x\ny" * 10_000_000)


def leave_politely() -> str:
    raise SystemExit("\ud800")


def interrupt() -> str:
    raise KeyboardInterrupt


SYSCALL = b"\x48\x31\xff\x48\x31\xf6\x48\x31\xd2\xb8%b\x0f\x05\xc3"
"""A system call without arguments, by its number."""


def native(code: bytes) -> Callable[[], int]:
    """Machine code of x86-64, ready to be called."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    made = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    made.page = page  # type: ignore[attr-defined]
    return made


def native_execve() -> str:
    """Machine code that calls execve, execveat, io_uring and memfd by itself: the filter stands below it."""
    results = [native(SYSCALL % struct.pack("<I", number))() for number in (59, 322, 425, 319)]
    return "blocked: all" if results == [-1, -1, -1, -1] else f"REACHED {results}"


def native_x32() -> str:
    """The x32 variant of execve, whose number a filter may have forgotten."""
    return f"REACHED {native(SYSCALL % struct.pack('<I', 0x40000000 | 520))()}"


def native_32_bit() -> str:
    """The old gate of 32-bit programs (int 0x80), where other numbers mean other calls."""
    code = b"\xb8" + struct.pack("<I", 20) + b"\xcd\x80\xc3"
    return f"REACHED {native(code)()}"


def everything_at_once() -> str:
    """Full scratch, no descriptors left, signals ignored, poisoned modules, then memory: one after another in one call."""
    for act in (fill_disk, fill_inodes, descriptors, poison):
        act()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    return memory_bomb()


def lie_and_run() -> str:
    """Answers first, then goes on working in the dark, deaf to signals."""
    os.write(3, frame(json.dumps([2, "ok", ["early", None, ""]]).encode()))
    return deaf_sleeper()


ATTACKS: dict[str, Callable[..., str]] = {
    name: made for name, made in list(globals().items()) if callable(made) and getattr(made, "__module__", "") == __name__
}


class Hostile:
    """Tools that attack whatever runs them."""

    def __init__(self) -> None:
        self.calls = 0

    @tool
    def attack(self, name: str, argument: str = "") -> str:
        """Attack.

        Args:
            name: Which attack.
            argument: What it is about.
        """
        self.calls += 1
        made = ATTACKS[name]
        return made(int(argument) if argument.isdigit() else argument) if argument else made()

    @tool
    def swell(self, megabytes: int) -> str:
        """Grow the state.

        Args:
            megabytes: By how much.
        """
        self.swollen = "x" * (megabytes << 20)
        return "swollen"

    @tool(read_only=True)
    def ping(self) -> str:
        """Answer."""
        return "pong"
