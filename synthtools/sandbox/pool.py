"""Containers kept ready: one for each trust domain, a spare for the next, and none left behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator

from synthtools.domain import Domain, ToolkitCode
from synthtools.sandbox.container import Container, Transport
from synthtools.sandbox.engine import LABEL, Engine, EngineError
from synthtools.sandbox.image import runtime_image, toolkit_image
from synthtools.sandbox.limits import Limits
from synthtools.sandbox.owner import is_gone

_OURS = "compiled"
"""The trust domain of everything that the compiler made; each toolkit is one of its own."""
_PATIENCE = 20.0
"""Seconds that an engine may take to come back."""


class Pool:
    """Hands out containers. Safe to use from several threads; a forked process makes its own."""

    def __init__(
        self, engine: Engine | None = None, *, limits: Limits | None = None, transport: Transport | None = None, image: str = "", spares: int = 1
    ) -> None:
        """`transport` None shares a socket where the engine is local; `image` empty takes what SYNTHTOOLS_IMAGE names, or makes one.

        Raises EngineError where there is no engine to use.
        """
        self.engine = engine or Engine()
        self.limits = limits or Limits()
        self.transport: Transport = transport or ("socket" if self.engine.is_local else "stdio")
        self._image = image or os.environ.get("SYNTHTOOLS_IMAGE", "")
        self._containers: dict[str, list[Container]] = {}
        self._spares: list[Container] = []
        self._wanted_spares = spares
        self._lock = threading.RLock()
        self._making: threading.Thread | None = None
        self._closed = False
        self._process = os.getpid()
        reap(self.engine)

    def container(self, domain: Domain) -> Container:
        """A container with room for one more episode of a domain. Raises EngineError."""
        if domain.toolkit is None:
            return self._with_room(_OURS)
        return self._with_room(domain.digest, domain.toolkit)

    def any_container(self) -> Container:
        """The container of compiled domains, started if it is not there."""
        return self._with_room(_OURS)

    def _with_room(self, key: str, code: ToolkitCode | None = None) -> Container:
        with self._lock:
            kept = [container for container in self._containers.get(key, ()) if container.alive]
            self._containers[key] = kept
            for container in kept:
                if len(container.workers) < self.limits.episodes:
                    return container
            made = self._make(code) if code is not None else self._take_spare() or self._make()
            kept.append(made)
            self._fill()
            return made

    def _take_spare(self) -> Container | None:
        while self._spares:
            spare = self._spares.pop()
            with contextlib.suppress(Exception):
                spare.state()
                return spare
        return None

    def _make(self, code: ToolkitCode | None = None) -> Container:
        """A new container; an engine that is just being restarted is waited for."""
        try:
            return self._start(code)
        except EngineError:
            if self._closed or not self.engine.wait(_PATIENCE):
                raise
            return self._start(code)

    def _start(self, code: ToolkitCode | None) -> Container:
        if not self._image:
            self._image = runtime_image(self.engine).id
        image = self._image if code is None else toolkit_image(self.engine, self._image, code)
        return Container(self.engine, image, self.limits, self.transport)

    def _fill(self) -> None:
        """See to it that a spare is there, in the background."""
        if len(self._spares) < self._wanted_spares and (self._making is None or not self._making.is_alive()):
            self._making = threading.Thread(target=self._make_spare, daemon=True)
            self._making.start()

    def _make_spare(self) -> None:
        with contextlib.suppress(EngineError):
            spare = self._make()
            with self._lock:
                if self._closed:
                    spare.destroy()
                else:
                    self._spares.append(spare)

    def containers(self) -> Iterator[Container]:
        """All that are alive, spares too."""
        with self._lock:
            yield from [c for kept in (*self._containers.values(), self._spares) for c in kept if c.alive]

    def close(self) -> None:
        """Kill and remove all of them; may be called twice, and does nothing in a process that was forked since."""
        if self._process != os.getpid():
            return
        self._closed = True
        if self._making is not None:
            self._making.join()
        for container in self.containers():
            container.destroy()
        self._containers, self._spares = {}, []


def reap(engine: Engine) -> int:
    """Remove containers whose process is gone; how many there were."""
    orphans = [c for c in engine.containers() if is_gone(c.labels.get(f"{LABEL}.owner", ""))]
    for orphan in orphans:
        with contextlib.suppress(EngineError):
            engine.remove(str(orphan.id))
    return len(orphans)


_pools: dict[int, Pool] = {}


def shared_pool() -> Pool:
    """The pool of this process."""
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools[os.getpid()] = Pool()
        atexit.register(pool.close)
    return pool
