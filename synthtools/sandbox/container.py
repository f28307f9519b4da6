"""One hardened container: started, given orders over its control connection, and gone when either side is."""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import shutil
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from synthtools.domain import Domain
from synthtools.populate import DEFAULT_ROWS, world_image
from synthtools.sandbox import frames
from synthtools.sandbox.engine import LABEL, Engine, EngineError
from synthtools.sandbox.failure import SandboxError
from synthtools.sandbox.image import TOOLKIT
from synthtools.sandbox.limits import Limits
from synthtools.sandbox.mux import Mux
from synthtools.sandbox.owner import owner
from synthtools.sandbox.profile import seccomp_profile
from synthtools.sandbox.source import source_digest

Transport = Literal["socket", "stdio"]
_CONTROL_SECONDS = 5.0
"""Within which the supervisor answers, or the container is given up."""


def hardened(limits: Limits, cpus: int) -> dict[str, Any]:
    """The settings of every container of an engine with so many processors, as the SDK takes them; nothing of them can be turned off."""
    from docker.types import LogConfig, Ulimit

    memory = f"{limits.memory_mb}m"
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={seccomp_profile()}"],
        "user": "65532:65532",
        "hostname": "sandbox",
        "pids_limit": limits.episodes + 64,
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": int(min(limits.cpus, cpus) * 1e9),
        "ipc_mode": "none",
        "log_config": LogConfig(type="none"),
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={limits.scratch_mb}m,nr_inodes={limits.inodes},mode=1777"},  # noqa: S108
        "ulimits": [Ulimit(name="nofile", soft=4096, hard=4096), Ulimit(name="core", soft=0, hard=0)],
        "restart_policy": {"Name": "no"},
        "auto_remove": True,
        "labels": {LABEL: "1", f"{LABEL}.owner": owner()},
    }


class Container:
    """A running container and its supervisor. Its methods may be called from any thread."""

    def __init__(self, engine: Engine, image: str, limits: Limits, transport: Transport) -> None:
        """Start it. Raises EngineError where the engine refuses, or nothing is ready in time."""
        self.engine, self.limits, self.transport = engine, limits, transport
        self.alive = True
        self.workers: set[int] = set()
        self._loaded: set[str] = set()
        self._worlds: set[tuple[str, int]] = set()
        self._lock = threading.RLock()
        self._links: dict[bytes, socket.socket] = {}
        self._linked = threading.Condition()
        self.folder = Path(tempfile.mkdtemp(prefix="st-"))
        self._listener: socket.socket | None = None
        self._attached: socket.socket | None = None
        self.id = ""
        try:
            with engine.asked("start a container"):
                self._start(image)
            self._control = self._link(b"control", time.monotonic() + limits.start_seconds)
            self._hear(time.monotonic() + limits.start_seconds)
        except (TimeoutError, frames.Closed, frames.Garbled) as error:
            self.destroy()
            raise EngineError(f"a container did not get ready: {error}") from None
        except BaseException:
            self.destroy()
            raise

    def _start(self, image: str) -> None:
        settings = hardened(self.limits, self.engine.cpus)
        containers = self.engine.client.containers
        if self.transport == "socket":
            shared = self._listen()
            settings["volumes"] = {str(shared): {"bind": "/link", "mode": "ro"}}
            started = containers.create(image, command=["socket"], detach=True, **settings)
            self.id = str(started.id)
            started.start()
            return
        made = self.engine.client.api.create_container(
            image,
            command=["stdio"],
            stdin_open=True,
            detach=False,
            user=settings.pop("user"),
            hostname=settings.pop("hostname"),
            labels=settings.pop("labels"),
            host_config=self.engine.client.api.create_host_config(**settings),
        )
        self.id = str(made["Id"])
        self._attach()
        self.engine.client.api.start(self.id)

    def _listen(self) -> Path:
        """A socket in a folder that only this user can reach, and that the container cannot change."""
        shared = self.folder / "link"
        shared.mkdir(mode=0o755)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(shared / "link"))
        os.chmod(shared / "link", 0o666)  # its folder's folder keeps everyone else out
        listener.listen(128)
        self._listener = listener
        return shared

    def _attach(self) -> None:
        """Standard input and output as one stream of channels."""
        attached = self.engine.client.api.attach_socket(self.id, params={"stdin": 1, "stdout": 1, "stream": 1})
        raw = getattr(attached, "_sock", attached)
        self._attached = raw
        down, up = os.pipe()
        threading.Thread(target=_unwrap, args=(raw, up), daemon=True).start()
        Mux(down, raw.fileno(), self._introduce).start()

    def _introduce(self, name: bytes, link: socket.socket) -> None:
        with self._linked:
            self._links[name] = link
            self._linked.notify_all()

    def _link(self, name: bytes, deadline: float) -> socket.socket:
        """The connection that introduces itself so. Raises TimeoutError."""
        if self._listener is None:
            with self._linked:
                while name not in self._links:
                    if not self._linked.wait(max(0.0, deadline - time.monotonic())):
                        raise TimeoutError("no connection came")
                return self._links.pop(name)
        while True:
            self._listener.settimeout(max(0.001, deadline - time.monotonic()))
            link, _ = self._listener.accept()
            with contextlib.suppress(frames.Closed, frames.Garbled, TimeoutError):
                if secrets.compare_digest(frames.receive(link, min(deadline, time.monotonic() + 1)), name):
                    return link
            link.close()

    def order(self, *order: Any, seconds: float = _CONTROL_SECONDS) -> Any:
        """Tell the supervisor something. Raises SandboxError `lost` where it does not answer as it should."""
        with self._lock:
            return self._ask(order, time.monotonic() + seconds)

    def _ask(self, order: tuple[Any, ...], deadline: float) -> Any:
        if not self.alive:
            raise SandboxError("lost", "the container is gone")
        try:
            frames.send(self._control, frames.pack_order(order), deadline)
            return self._hear(deadline)
        except (TimeoutError, frames.Closed, frames.Garbled) as error:
            self.destroy()
            raise SandboxError("lost", f"the container's supervisor does not answer ({error})") from None

    def _hear(self, deadline: float) -> Any:
        answer = frames.unpack_answer(frames.receive(self._control, deadline))
        match answer:
            case ["ok", value]:
                return value
            case ["failed", str(line)]:
                raise SandboxError("crashed", line[:300])
            case ["ready", str(digest)]:
                if digest != source_digest():
                    raise EngineError("the image holds another version of synthtools than runs here; make it anew from this one")
                return None
        raise frames.Garbled("an answer of no known shape")

    def prepare(self, domain: Domain, world: int | None) -> None:
        """Bring a domain, and one of its start worlds, into the container, once."""
        with self._lock:
            if domain.digest not in self._loaded:
                self.order("load", pickle.dumps(_as_inside(domain)), seconds=self.limits.start_seconds)
                self._loaded.add(domain.digest)
            if world is not None and domain.toolkit is None and (domain.digest, world) not in self._worlds:
                image = world_image(domain, world, DEFAULT_ROWS)
                self.order("world", domain.digest, world, image.data, list(image.counters), seconds=self.limits.start_seconds)
                self._worlds.add((domain.digest, world))

    def start(self, digest: str) -> tuple[int, socket.socket]:
        """A fresh worker for an episode of a domain: its process, and the connection to it."""
        token = secrets.token_bytes(16)
        limits = self.limits.worker
        numbers = (limits.memory, limits.cpu, limits.files, limits.file_bytes)
        with self._lock:
            pid = int(self.order("start", token, digest, numbers))
            self.workers.add(pid)
            try:
                return pid, self._link(token, time.monotonic() + self.limits.start_seconds)
            except TimeoutError:
                raise SandboxError("crashed", f"a worker did not get ready ({how(*self.end(pid))})") from None

    def release(self, pid: int) -> None:
        """End a worker without waiting for it."""
        self.workers.discard(pid)
        with self._lock:
            if self.alive:
                try:
                    frames.send(self._control, frames.pack_order(("release", pid)), time.monotonic() + _CONTROL_SECONDS)
                except (frames.Closed, TimeoutError):
                    self.destroy()

    def end(self, pid: int) -> tuple[int, bool]:
        """End a worker; gives its wait status (-1: the container is gone), and whether it had to be killed."""
        self.workers.discard(pid)
        try:
            status, lingered = self.order("end", pid)
            return int(status), bool(lingered)
        except (SandboxError, TypeError, ValueError):
            return -1, False

    def state(self) -> Mapping[str, int]:
        """How many workers there are, and the supervisor's memory in KiB."""
        return {str(name): int(value) for name, value in self.order("state").items()}

    def destroy(self) -> None:
        """Kill and remove it; may be called twice."""
        self.alive = False
        with contextlib.suppress(AttributeError, OSError):
            self._control.close()
        if self._listener is not None:
            self._listener.close()
        if self.id:
            with contextlib.suppress(EngineError):
                self.engine.remove(self.id)
        if self._attached is not None:
            self._attached.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def link_is_ours(self) -> bool:
        """Whether what lies in the shared folder is still the socket that was made."""
        return stat.S_ISSOCK(os.lstat(self.folder / "link" / "link").st_mode)


def _as_inside(domain: Domain) -> Domain:
    """A domain as a container needs it: a toolkit's files are in its image already."""
    if domain.toolkit is None:
        return domain
    return replace(domain, toolkit=replace(domain.toolkit, files=dict.fromkeys(domain.toolkit.files, b""), checks={}, folder=TOOLKIT))


def how(status: int, lingered: bool) -> str:
    """A worker's end in words."""
    if status < 0:
        return "the container is gone"
    if lingered:
        return "it went on without a connection, and was killed"
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}"
    return f"ended with code {os.WEXITSTATUS(status)}"


def _unwrap(raw: socket.socket, up: int) -> None:
    """Take the engine's eight-byte headers off an attached stream."""
    buffer = b""
    with contextlib.suppress(OSError):
        while True:
            data = raw.recv(65_536)
            if not data:
                break
            buffer += data
            while len(buffer) >= 8 and len(buffer) >= 8 + int.from_bytes(buffer[4:8], "big"):
                size = int.from_bytes(buffer[4:8], "big")
                chunk, buffer, kind = buffer[8 : 8 + size], buffer[8 + size :], buffer[0]
                while kind == 1 and chunk:
                    chunk = chunk[os.write(up, chunk) :]
    os.close(up)
