"""Containers, images and the engine: how they are set up, what becomes of them when something is killed, and what is said when nothing works."""

from __future__ import annotations

import contextlib
import gc
import http.server
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import engine, pool
from synthtools.backend import Snapshot
from synthtools.domain import ToolkitCode
from synthtools.load import load_domain
from synthtools.sandbox import DockerBackend, Engine, EngineError, Limits, Pool, SandboxError, reap, together
from synthtools.sandbox.container import Transport
from synthtools.sandbox.engine import LABEL
from synthtools.sandbox.image import ENTRYPOINT, runtime_image, toolkit_image
from synthtools.sandbox.owner import process_of
from synthtools.tool import ToolCall, ToolResult

docker = pytest.mark.docker
CALL = ToolCall("search_boats", {})


@pytest.fixture
def own_pool() -> Iterator[Pool]:
    """A pool that a test may ruin."""
    made = Pool(engine(), limits=Limits(call_seconds=20.0), spares=0)
    yield made
    made.close()


def begun(own: Pool) -> DockerBackend:
    """An episode in the marina."""
    domain = load_domain("marina_berths")
    backend = DockerBackend(domain, pool=own)
    backend.reset(Snapshot(domain.digest, 0))
    assert backend.call(CALL).error is None
    return backend


def owned(owner: int) -> list[str]:
    """Containers of a process."""
    return [str(c.id) for c in engine().containers() if process_of(c.labels[f"{LABEL}.owner"]) == owner]


@docker
@pytest.mark.parametrize("transport", ["socket", "stdio"])
def test_a_container_is_shut(transport: Transport) -> None:
    """What the CIS benchmark asks of a container, as the engine itself tells it."""
    container = pool(transport).any_container()
    facts = engine().client.api.inspect_container(container.id)
    host, config = facts["HostConfig"], facts["Config"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert any(option.startswith("seccomp={") for option in host["SecurityOpt"])
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert 0 < host["PidsLimit"] <= 512
    assert host["NanoCpus"] > 0
    assert host["IpcMode"] == "none"
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert host["LogConfig"]["Type"] == "none"
    assert host["AutoRemove"]
    assert not host["Devices"]
    assert "nr_inodes" in host["Tmpfs"]["/tmp"]
    assert "noexec" in host["Tmpfs"]["/tmp"]
    assert config["User"] == "65532:65532"
    assert [m["Destination"] for m in facts["Mounts"]] == (["/link"] if transport == "socket" else [])
    assert not any(m["RW"] for m in facts["Mounts"])
    assert {entry.partition("=")[0] for entry in config["Env"]} <= {"LD_LIBRARY_PATH", "PYTHONHASHSEED", "PATH"}


@docker
def test_the_image_is_the_same_when_it_is_made_again() -> None:
    """Reproducible to the byte, without set-uid files, and found by what went into it instead of being made twice."""
    first = runtime_image(engine())
    again = runtime_image(engine(), fresh=True)
    assert (again.content, again.id) == (first.content, first.id)
    assert not runtime_image(engine()).built
    image = engine().client.images.get(first.id)
    assert image.attrs["Config"]["Entrypoint"] == list(ENTRYPOINT)
    saved = io.BytesIO(b"".join(image.save()))
    with tarfile.open(fileobj=saved) as outer:
        layers = [m for m in outer.getmembers() if m.name.endswith("layer.tar") or m.name.startswith("blobs/sha256/") and m.size > 1_000_000]
        assert len(layers) == 1
        inner = outer.extractfile(layers[0])
        assert inner is not None
        with tarfile.open(fileobj=inner) as tar:
            assert [m.name for m in tar if m.mode & 0o6000 or m.uid or m.gid or m.isdev()] == []


@docker
def test_a_toolkits_image_is_never_taken_for_the_runtime() -> None:
    """It holds the toolkit's files for everyone to read, and is found again by them; the runtime image is still the plain one."""
    plain = runtime_image(engine()).id
    code = ToolkitCode("x.py:X", {"x.py": b"x = 1", "data/y.json": b"{}"})
    made = toolkit_image(engine(), plain, code)
    assert made == toolkit_image(engine(), plain, code) != plain
    assert runtime_image(engine()).id == plain
    container = engine().client.containers.create(made)
    stream, _ = container.get_archive("/toolkit")
    container.remove()
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        assert {m.name: (m.mode & 0o777, m.uid) for m in tar if m.isfile()} == {"toolkit/x.py": (0o444, 0), "toolkit/data/y.json": (0o444, 0)}
    engine().client.images.remove(made)


@docker
@pytest.mark.slow
def test_debians_python_does_as_well() -> None:
    """The image of Debian's packages runs episodes with the same results."""
    other = Pool(engine(), spares=0, image=runtime_image(engine(), "debian").id)
    one, two = begun(other), begun(pool())
    assert one.call(CALL) == two.call(CALL)
    one.close()
    other.close()


@docker
def test_a_container_removed_in_the_middle_of_a_call(own_pool: Pool) -> None:
    """One typed error, nothing tried again; the next episode gets a new container."""
    backend = begun(own_pool)
    container = own_pool.any_container()
    number = backend.post_call(CALL)
    backend.result(number, time.monotonic() + 5)
    engine().remove(container.id)
    with pytest.raises(SandboxError) as lost:
        backend.call(CALL)
    assert lost.value.kind == "lost"
    with pytest.raises(SandboxError, match="reset first"):
        backend.call(CALL)
    assert begun(own_pool).call(CALL).error is None
    assert own_pool.any_container().id != container.id


@docker
def test_a_worker_that_is_killed(own_pool: Pool) -> None:
    """The episode ends with one typed error; others in the same container do not notice."""
    backend, other = begun(own_pool), begun(own_pool)
    top = engine().client.api.top(own_pool.any_container().id, ps_args="-o pid,ppid")["Processes"]
    parents = {int(parent) for _, parent in top}
    workers = sorted(int(pid) for pid, _ in top if int(pid) not in parents)
    os.kill(workers[0], signal.SIGKILL)
    outcomes = [type(outcome) for outcome in together([(backend, CALL), (other, CALL)])]
    assert sorted(outcomes, key=str) == [SandboxError, ToolResult]
    assert begun(own_pool).call(CALL).error is None


@docker
def test_a_silent_supervisor_is_given_up(own_pool: Pool) -> None:
    """A container whose first process is stopped is killed within the control deadline, and replaced."""
    begun(own_pool)
    container = own_pool.any_container()
    engine().client.api.kill(container.id, signal=signal.SIGSTOP)
    with pytest.raises(SandboxError) as lost:
        container.state()
    assert lost.value.kind == "lost"
    assert begun(own_pool).call(CALL).error is None


CLIENT = """
import sys, time
from synthtools.backend import Snapshot
from synthtools.load import load_domain
from synthtools.sandbox import DockerBackend, Pool
pool = Pool(transport=sys.argv[1], spares=1)
domain = load_domain("marina_berths")
backend = DockerBackend(domain, pool=pool)
backend.reset(Snapshot(domain.digest, 0))
while len(list(pool.containers())) < 2:
    time.sleep(0.05)
print("begun", flush=True)
time.sleep(600)
"""


@docker
@pytest.mark.parametrize("transport", ["socket", "stdio"])
def test_a_client_killed_leaves_nothing(transport: Transport) -> None:
    """After kill -9 of the process that owns them, its containers, the spare too, are gone within five seconds."""
    engine()
    client = subprocess.Popen([sys.executable, "-c", CLIENT, transport], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
    assert client.stdout is not None
    assert client.stdout.readline() == "begun\n"
    assert len(owned(client.pid)) == 2
    client.kill()
    client.wait()
    client.stdout.close()
    until = time.monotonic() + 5
    while owned(client.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert owned(client.pid) == []


@docker
def test_orphans_are_reaped_by_their_label(own_pool: Pool) -> None:
    """A container whose owner is gone is removed; one whose owner lives, and one of another machine, are left alone."""
    living = own_pool.any_container()
    image = runtime_image(engine()).id

    def made(owner: str) -> str:
        return str(engine().client.containers.create(image, command=["socket"], labels={LABEL: "1", f"{LABEL}.owner": owner}).id)

    orphan, strange = made(f"{socket.gethostname()}:another-boot:1:1"), made("another-machine:another-boot:1:1")
    assert reap(engine()) >= 1
    left = {str(c.id) for c in engine().containers()}
    engine().remove(strange)
    assert orphan not in left
    assert {living.id, strange} <= left


@docker
def test_a_forked_process_leaves_its_parents_containers_alone(own_pool: Pool) -> None:
    """In the child the backend refuses, and its end, collections and clean-up do not reach the parent's episode."""
    backend = begun(own_pool)
    child = os.fork()
    if child == 0:
        refused = 0
        with contextlib.suppress(SandboxError):
            refused = 1
            backend.call(CALL)
            refused = 0
        backend.close()
        own_pool.close()
        os._exit(not refused)
    assert os.waitpid(child, 0)[1] == 0
    assert backend.call(CALL).error is None


def told(monkeypatch: pytest.MonkeyPatch, host: str) -> str:
    """What is said of an engine at this address."""
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineError) as error:
        Engine(seconds=5)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK drops a socket
def test_no_engine_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Absent, not permitted, too old: each has its own line with the mend."""
    assert "there is no Docker engine at" in told(monkeypatch, f"unix://{tmp_path}/none.sock")
    with old_engine() as port:
        assert "20.10 or newer is needed" in told(monkeypatch, f"tcp://127.0.0.1:{port}")
    gc.collect()


class old_engine:  # noqa: N801 - a context manager
    """An engine that speaks the protocol, and is of 2018."""

    def __enter__(self) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers every question with its version."""

            def do_GET(self) -> None:
                body = json.dumps({"ApiVersion": "1.38", "Version": "18.06.1-ce", "Os": "linux"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is logged."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return int(self.server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
