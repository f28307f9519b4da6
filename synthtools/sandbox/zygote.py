"""The supervisor inside a container, its first process: forks one confined worker for each episode, and runs no tool code.

It takes orders from one connection, and ends when that ends: with the host's process goes the container. It knows
domains and start worlds, so that a worker has them ready; goals, solutions and rewards never come here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import random
import secrets
import selectors
import signal
import socket
import sys
import time
import traceback
from typing import Any

SITE = "/opt/site"
if SITE not in sys.path:
    sys.path.insert(0, SITE)

from synthtools.backend import LocalBackend  # noqa: E402
from synthtools.domain import Domain  # noqa: E402
from synthtools.sandbox import confine, frames, syscalls  # noqa: E402
from synthtools.sandbox.mux import Mux  # noqa: E402
from synthtools.sandbox.source import source_digest  # noqa: E402
from synthtools.sandbox.worker import serve  # noqa: E402
from synthtools.world import Image  # noqa: E402

LINK = "/link/link"
READABLE = ("/opt", "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/toolkit", "/dev/urandom", "/dev/zero")
_SECONDS = 10.0
_GRACE = 0.05
"""Seconds that a worker whose connection has ended may take to end too."""
KEPT = frozenset({"LD_LIBRARY_PATH", "PYTHONHASHSEED", "PATH", "HOSTNAME", "HOME", "LC_CTYPE"})
"""Variables of the environment; a base image's others are dropped."""


class Zygote:
    """Domains, worlds and workers of one container."""

    def __init__(self, control: socket.socket, mux: Mux | None) -> None:
        self.control, self.mux = control, mux
        self.domains: dict[str, Domain] = {}
        self.backends: dict[str, LocalBackend] = {}
        """Of compiled domains, with their start worlds open: a fork of it is ready at once."""
        self.images: dict[tuple[str, int], Image] = {}
        self.ended: dict[int, int] = {}
        """Worker → its wait status, until it is asked for."""
        self.running: set[int] = set()
        self.released: set[int] = set()
        """Those of the running whose status nobody wants."""

    def run(self) -> None:
        """Take orders until the connection ends."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        self._say(["ready", source_digest()])
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake:
                    wake.recv(4096)
                    self._reap()
                else:
                    order = frames.unpack_order(frames.receive(self.control))
                    if order[0] == "release":
                        self.release(order[1])
                    else:
                        self._say(self._obey(order))

    def _say(self, answer: Any) -> None:
        frames.send(self.control, frames.pack_answer(answer))

    def _obey(self, order: tuple[Any, ...]) -> Any:
        name, *arguments = order
        try:
            return ["ok", getattr(self, f"order_{name}")(*arguments)]
        except (OSError, ValueError, KeyError, MemoryError) as error:
            return ["failed", f"{type(error).__name__}: {error}"[:300]]

    def order_load(self, pickled: bytes) -> None:
        """A domain to run episodes of."""
        domain: Domain = pickle.loads(pickled)  # noqa: S301 - from the host, never from a worker
        self.domains[domain.digest] = domain
        if domain.toolkit is None:
            self.backends[domain.digest] = LocalBackend(domain, image=self._image)
        else:
            importlib.import_module("synthtools.toolkit.describe")  # ours, so that no worker has to
            importlib.import_module("synthtools.toolkit.backend")

    def order_world(self, digest: str, number: int, data: bytes, counters: list[tuple[str, int]]) -> None:
        """A start world of a compiled domain, opened so that workers find it ready."""
        self.images[digest, number] = Image(data, tuple(counters))
        self.backends[digest].open(number)
        gc.collect()
        gc.freeze()
        syscalls.prepare()

    def _image(self, domain: Domain, number: int, _rows: int) -> Image:
        return self.images[domain.digest, number]

    def order_start(self, token: bytes, digest: str, limits: tuple[int, int, int, int]) -> int:
        """A worker for one episode; it connects by itself and shows the token. Gives its process."""
        if self.domains[digest].toolkit is not None:  # its scratch folder is empty again before the next begins
            for released in list(self.released):
                self._over(released, os.waitpid(released, 0)[1])
        connection = self.mux.open(token) if self.mux is not None else None
        pid = os.fork()
        if pid == 0:
            self._be_worker(token, digest, confine.WorkerLimits(*limits), connection)
        if connection is not None:
            connection.close()
        self.running.add(pid)
        return pid

    def release(self, pid: int) -> None:
        """End a worker that nobody will ask about again; this order alone has no answer."""
        if pid in self.running:
            self.released.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        else:
            self.ended.pop(pid, None)

    def order_end(self, pid: int) -> tuple[int, bool]:
        """End a worker, if it has not ended; gives its wait status, and whether it took a signal from here."""
        until = time.monotonic() + _GRACE
        while pid in self.running and time.monotonic() < until:
            self._reap()
            time.sleep(0.001)
        lingers = pid in self.running
        if lingers:
            os.kill(pid, signal.SIGKILL)
            self._over(pid, os.waitpid(pid, 0)[1])
        return self.ended.pop(pid), lingers

    def order_state(self) -> dict[str, int]:
        """How many workers there are, the memory of this process in KiB, and the kernel's Landlock (0: none)."""
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return {"workers": len(self.running), "kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024, "landlock": confine.landlock_abi()}

    def _reap(self) -> None:
        for pid in list(self.running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._over(pid, status)

    def _over(self, pid: int, status: int) -> None:
        """A worker is gone, and so is what it wrote."""
        self.running.discard(pid)
        if pid in self.released:
            self.released.discard(pid)
        else:
            self.ended[pid] = status
        _clear(_scratch(pid))

    def _be_worker(self, token: bytes, digest: str, limits: confine.WorkerLimits, connection: socket.socket | None) -> None:
        """The life of a forked worker; it never returns."""
        code, link = 1, connection
        try:
            gc.enable()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            link = only(link if link is not None else connect(token))
            domain = self.domains[digest]
            scratch = _scratch(os.getpid()) if domain.toolkit is not None else ""
            shut_in(limits, scratch)
            serve(link, domain, self.backends.get(digest))
            code = 0
        except frames.Closed:
            code = 0
        except BaseException:  # noqa: BLE001 - the last frame of a process that is about to end
            with contextlib.suppress(OSError, frames.Closed):
                if link is not None:
                    frames.send(link, frames.pack_answer([0, "fault", "crashed", traceback.format_exc(limit=-2)[-300:]]))
        finally:
            os._exit(code)


def shut_in(limits: confine.WorkerLimits, scratch: str) -> None:
    """Take everything from this process that a stranger's code could misuse."""
    confine.die_with_parent()
    confine.prefer_to_be_killed()
    if scratch:
        os.mkdir(scratch, 0o700)
        os.environ["TMPDIR"] = scratch
        os.chdir(scratch)
    random.seed(0)
    confine.limit(limits)
    confine.hide()
    confine.landlock(READABLE, scratch)
    syscalls.install(os.getpid())


def only(link: socket.socket) -> socket.socket:
    """Close every file but the link (as number 3) and three nulls: nothing of the supervisor's is left. Gives the link anew."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    fd = link.detach()
    if fd != 3:
        os.dup2(fd, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=3)


def connect(token: bytes) -> socket.socket:
    """A connection of its own to the host, introduced by the token."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(_SECONDS)
    link.connect(LINK)
    frames.send(link, token)
    return link


def _scratch(pid: int) -> str:
    return f"/tmp/{pid}"  # noqa: S108 - the container's own


def _clear(folder: str) -> None:
    """Remove a worker's scratch folder, however deep it went and whatever it forbade: inner folders are emptied into the outer one."""
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)
        unused, moved = secrets.token_hex(16), 0  # a name that nobody in there could have taken
        while entries := os.listdir(folder):
            for path in (f"{folder}/{name}" for name in entries):
                if not os.path.isdir(path) or os.path.islink(path):
                    os.unlink(path)
                    continue
                os.chmod(path, 0o700)
                for inner in os.listdir(path):
                    moved += 1
                    os.rename(f"{path}/{inner}", f"{folder}/{unused}{moved}")
                os.rmdir(path)
        os.rmdir(folder)


def main(arguments: list[str]) -> None:
    """`zygote.py socket`: over the mounted socket; `zygote.py stdio`: over standard input and output."""
    gc.disable()
    for name in set(os.environ) - KEPT:
        del os.environ[name]
    mux = None
    if arguments == ["stdio"]:
        mux = Mux(os.dup(0), os.dup(1))
        control = mux.open(b"control")
        mux.start()
    else:
        control = connect(b"control")
    confine.hide()
    syscalls.forbid_programs()
    with contextlib.suppress(frames.Closed):
        Zygote(control, mux).run()


if __name__ == "__main__":
    main(sys.argv[1:])
