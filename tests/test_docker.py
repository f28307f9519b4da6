"""The docker backend: the same calls give the same results as the local one, in containers that are as shut as they can be."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator

import gymnasium
import pytest

import envs
from engine import engine, pool
from synthtools.audit import audit_domain
from synthtools.audit.hostile import NAMES, attacks
from synthtools.backend import LocalBackend, Snapshot
from synthtools.backends import open_backend
from synthtools.catalog import catalog
from synthtools.load import load_domain
from synthtools.playback import play
from synthtools.sample import CallSampler
from synthtools.sandbox import DockerBackend, SandboxError, together
from synthtools.sandbox.container import Transport
from synthtools.seed import generator
from synthtools.stream import TaskStream
from synthtools.task import resolve
from synthtools.tool import ToolCall

pytestmark = pytest.mark.docker
CALLS = 200


def drawn(backend: LocalBackend, sampler: CallSampler) -> Iterator[ToolCall]:
    """Random calls, half of them sensible, for the world as it stands at each."""
    tools = list(backend.domain.tools.values())
    while True:
        tool = sampler.rng.choice(tools)
        arguments = sampler.sample(tool, sensible=sampler.rng.random() < 0.5)
        if arguments is not None:
            yield ToolCall(tool.name, arguments)


@pytest.mark.parametrize("name", catalog())
def test_the_same_calls_give_the_same_everywhere(name: str) -> None:
    """Random calls and whole solutions: results, net changes and snapshots are equal, call by call."""
    domain = load_domain(name)
    local, docker = LocalBackend(domain), DockerBackend(domain, pool=pool())
    calls = drawn(local, CallSampler(domain, local, generator("parity", name)))
    for number in range(4):
        start = Snapshot(domain.digest, number)
        local.reset(start)
        docker.reset(start)
        for index in range(CALLS // 8):
            call = next(calls)
            assert docker.call(call) == local.call(call), call
            if index % 10 == 0:
                assert docker.snapshot() == local.snapshot()
        assert docker.changes() == local.changes()
    stream, made = TaskStream(domain, seed=5), 0
    for index in range(len(stream)):
        made += follow(local, docker, stream, index)
        if made >= CALLS // 2:
            break
    docker.close()
    local.close()


def follow(local: LocalBackend, docker: DockerBackend, stream: TaskStream, index: int) -> int:
    """Carry a solution out in both, users and faults included; how many calls it took."""
    task = stream[index]
    ours, theirs = (play(task, task.solution, stream.domain, backend) for backend in (local, docker))
    assert theirs == ours
    assert docker.snapshot() == local.snapshot()
    return len(ours.calls)


def test_hostile_arguments_are_answered_alike() -> None:
    """Whatever an agent sends, plain or not: the same typed error, or the same result, as in this process."""
    domain = load_domain("marina_berths")
    local, docker = LocalBackend(domain), DockerBackend(domain, pool=pool())
    start = Snapshot(domain.digest, 0)
    local.reset(start)
    docker.reset(start)
    tool = domain.tools["book_stay"]
    usual = CallSampler(domain, local, generator("hostile")).sample(tool, sensible=False) or {}
    odd = [ToolCall(tool.name, attack.arguments) for attack in attacks(tool, usual)]
    odd += [ToolCall(name, {}) for name in NAMES] + [ToolCall(tool.name, "x" * 10_000_000), ToolCall(tool.name, {"boat_id": object()})]
    for call in odd:
        assert docker.call(call) == local.call(call)
    for huge in ({"boat_id": "x" * 40_000_000}, {"x" * 40_000_000: 1}):
        assert docker.call(ToolCall(tool.name, huge)).error == "too_large"
    assert docker.snapshot() == local.snapshot()
    docker.close()


@pytest.mark.parametrize("transport", ["socket", "stdio"])
def test_an_episode_goes_on_in_another_container(transport: Transport) -> None:
    """A snapshot taken in one container is gone on from in another, or here, with the same results; batches give what single calls give."""
    domain = load_domain("clinic_roster")
    local, docker, other = LocalBackend(domain), DockerBackend(domain, pool=pool(transport)), DockerBackend(domain, pool=pool())
    local.reset(Snapshot(domain.digest, 0))
    docker.reset(Snapshot(domain.digest, 0))
    calls = drawn(local, CallSampler(domain, local, generator("fork")))
    first, second = [[next(calls) for _ in range(30)] for _ in range(2)]
    assert docker.calls(first) == [local.call(call) for call in first]
    other.reset(docker.snapshot())
    assert [other.call(call) for call in second] == [local.call(call) for call in second]
    assert other.changes() == local.changes()
    for backend in (docker, other):
        backend.close()


@pytest.mark.parametrize("name", ["marina_berths", *(pytest.param(n, marks=pytest.mark.slow) for n in catalog() if n != "marina_berths")])
def test_the_audit_inside_says_what_the_audit_here_says(name: str) -> None:
    """The audit run in a container gives the same report, and nothing falls short."""
    domain = load_domain(name)
    docker = DockerBackend(domain, pool=pool())
    report = docker.audit(thorough=False)
    assert report == audit_domain(domain, thorough=False)
    assert report.failures == ()
    docker.close()


def test_an_environment_runs_in_a_container() -> None:
    """`gymnasium.make(..., backend="docker")`: the same stream as the local one, through fork and pickle, to the reward."""
    engine()
    assert envs
    made = {name: gymnasium.make("synthtools/MarinaBerths-v0", backend=name).unwrapped for name in ("local", "docker")}
    for seed in range(3):
        assert made["docker"].reset(seed=seed) == made["local"].reset(seed=seed)
        results: list[object] = []
        solution = made["local"].task.solution
        for number, step in enumerate(solution):
            if number == 1:
                made["docker"] = pickle.loads(pickle.dumps(made["docker"].fork()))
            call = resolve(step, results)
            stepped = made["local"].step(call)
            assert made["docker"].step(call) == stepped
            results.append(json.loads(stepped[0]))
        assert stepped[1] == 1.0
    for env in made.values():
        env.close()


def test_a_vector_of_containers_is_the_same_vector() -> None:
    """Calls are sent ahead to all episodes at once: the stream is that of the local vector, through autoresets."""
    engine()
    vectors = {name: gymnasium.make_vec("synthtools/MarinaBerths-v0", num_envs=6, backend=name, max_steps=4) for name in ("local", "docker")}
    resets = {name: vector.reset(seed=3) for name, vector in vectors.items()}
    assert resets["docker"][0] == resets["local"][0]
    for _ in range(12):
        actions = vectors["local"].action_space.sample()
        stepped = {name: vector.step(actions) for name, vector in vectors.items()}
        assert stepped["docker"][0] == stepped["local"][0]
        assert [list(part) for part in stepped["docker"][1:4]] == [list(part) for part in stepped["local"][1:4]]
    for vector in vectors.values():
        vector.close()


def test_many_episodes_in_flight_do_not_mix() -> None:
    """Two hundred episodes at once in one container: each gets its own results, by its own world."""
    domain = load_domain("marina_berths")
    locals_, dockers = LocalBackend(domain), [DockerBackend(domain, pool=pool()) for _ in range(200)]
    tool = next(t for t in domain.tools.values() if t.key == "create_holder")
    for backend in dockers:
        backend.reset(Snapshot(domain.digest, 1))
    calls = [ToolCall(tool.name, {"name": f"Holder {i}", "email": f"h{i}@example.org", "phone": "+44 7000 000000"}) for i in range(len(dockers))]
    for _ in range(2):
        results = list(together(list(zip(dockers, calls, strict=True))))
        assert [result for result in results if isinstance(result, SandboxError)] == []
    for backend, call in zip(dockers, calls, strict=True):
        locals_.reset(Snapshot(domain.digest, 1))
        for _ in range(2):
            locals_.call(call)
        assert backend.changes() == locals_.changes()
        backend.close()


def test_a_snapshot_of_another_domain_is_refused() -> None:
    """As in the local backend, before any container is asked."""
    backend = open_backend(load_domain("marina_berths"), "docker") if engine() else None
    assert isinstance(backend, DockerBackend)
    with pytest.raises(ValueError, match="another domain"):
        backend.reset(Snapshot("x", 0))
    with pytest.raises(SandboxError, match="reset first"):
        backend.call(ToolCall("search_boats", {}))
