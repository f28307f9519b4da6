"""The Docker engine: found, judged fit or not in one line, and asked for images and containers. Never pulls."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container as DockerContainer
    from docker.models.images import Image as DockerImage

OLDEST = "1.41"
"""Engine API of Docker 20.10."""
LABEL = "synthtools.sandbox"


class EngineError(RuntimeError):
    """No engine to run containers with, or one that will not: what is missing, and how to mend it, in one line."""


class Engine:
    """A connection to the engine that `DOCKER_HOST` names, or the local one."""

    def __init__(self, seconds: float = 60.0) -> None:
        """Raises EngineError where the package, the engine or the permission is missing, or the engine is too old."""
        try:
            import docker
            from docker.errors import DockerException
        except ImportError:
            raise EngineError("the docker backend needs the docker package: pip install 'synthtools[docker]'") from None
        self._failures: type[Exception] = DockerException
        try:
            self.client: docker.DockerClient = docker.from_env(timeout=int(seconds))
            self.version: dict[str, Any] = self.client.version()
        except (DockerException, OSError) as error:
            raise EngineError(_why(error)) from None
        unfit = _unfit(self.version)
        if unfit:
            self.client.close()
            raise EngineError(unfit)

    @property
    def is_local(self) -> bool:
        """Whether its containers can share a socket with this process."""
        return self.client.api.base_url.startswith("http+docker://") and "Desktop" not in self.version.get("Platform", {}).get("Name", "")

    @cached_property
    def cpus(self) -> int:
        """Processors that containers can have; more must not be asked for."""
        with self.asked("say how many processors it has"):
            return int(self.client.info()["NCPU"])

    @contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Turn what the SDK raises into an EngineError that says what was wanted."""
        import requests

        try:
            yield
        except (self._failures, requests.RequestException, OSError) as error:
            raise EngineError(f"the Docker engine would not {what}: {_line(error)}") from None

    def wait(self, seconds: float) -> bool:
        """Whether the engine answers, or comes back within so many seconds (it may be restarting)."""
        import requests

        until = time.monotonic() + seconds
        while True:
            try:
                self.client.ping()
                return True
            except (self._failures, requests.RequestException, OSError):
                if time.monotonic() > until:
                    return False
                time.sleep(0.2)

    def images(self, label: str) -> list[DockerImage]:
        """Images of a label, the newest first."""
        with self.asked("list images"):
            found: list[DockerImage] = self.client.images.list(filters={"label": label})
            return sorted(found, key=lambda image: str(image.attrs.get("Created", "")), reverse=True)

    def import_image(self, data: bytes, repository: str, tag: str, changes: Sequence[str]) -> DockerImage:
        """An image of one layer, from a tar of its files."""
        with self.asked("import the image"):
            answer = self.client.api.import_image_from_data(data, repository=repository, tag=tag, changes=list(changes))
            last = json.loads(str(answer).strip().splitlines()[-1])
            if "error" in last:
                raise EngineError(f"the Docker engine would not import the image: {last['error']}")
            return self.client.images.get(f"{repository}:{tag}")

    def derive_image(self, base: str, files: bytes, repository: str, tag: str, changes: Sequence[str]) -> DockerImage:
        """An image of a base and more files (a tar); made by committing a container that never runs."""
        with self.asked("make an image"):
            container = self.client.containers.create(base)
            try:
                container.put_archive("/", files)
                image: DockerImage = container.commit(repository=repository, tag=tag, changes="\n".join(changes))
                return image
            finally:
                container.remove(force=True)

    def containers(self, label: str = LABEL) -> list[DockerContainer]:
        """Containers of a label, running or not."""
        with self.asked("list containers"):
            found: list[DockerContainer] = self.client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
            return found

    def remove(self, container: str) -> None:
        """Kill and remove a container, if it is still there."""
        import docker.errors
        import requests

        try:
            self.client.api.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:  # its removal is in progress already
                raise EngineError(f"the Docker engine would not remove a container: {_line(error)}") from None
        except (requests.RequestException, OSError) as error:
            raise EngineError(f"the Docker engine would not remove a container: {_line(error)}") from None


def _unfit(version: Mapping[str, Any]) -> str:
    """What keeps an engine from being used; empty: nothing."""
    if _parts(version.get("ApiVersion", "0")) < _parts(OLDEST):
        return f"the Docker engine {version.get('Version')} is too old: 20.10 or newer is needed"
    return "" if version.get("Os", "linux") == "linux" else "the Docker engine does not run Linux containers; switch it to Linux containers"


def _why(error: Exception) -> str:
    text = str(error)
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if "PermissionError" in text or "Permission denied" in text:
        return f"the Docker engine at {host} may not be used by this user; join the group docker, or run as root"
    if "FileNotFoundError" in text or "No such file" in text or "ConnectionRefused" in text or "Connection refused" in text:
        return f"there is no Docker engine at {host}; install and start one (Debian: apt-get install docker.io, then dockerd), or set DOCKER_HOST"
    return f"the Docker engine at {host} does not answer: {_line(error)}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:240]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
