"""What a container costs beside this process: steps one at a time and 64 in flight, the start of episodes and containers, memory.

    python benchmarks/sandbox.py [--json] [--record]

A step is `env.step` with a keyed read or a lifecycle transition of the marina, docker and local in turn; ratios are of
medians. Memory is what the container's cgroup counts as its processes' own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from measure import emit, machine
from step import keyed_reads, transitions

from envs.env import ToolEnv
from envs.vector import ToolVectorEnv
from envs.worlds import GrownShelf, Worlds
from synthtools.backend import LocalBackend, Snapshot
from synthtools.catalog import catalog
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.sandbox import DockerBackend, Pool, together
from synthtools.sandbox.container import Container
from synthtools.sandbox.pool import shared_pool
from synthtools.tool import ToolCall

NAME = "marina_berths"
FLIGHT, MANY = 64, 200


def calls_of(domain: Domain) -> list[ToolCall]:
    """The workload: every keyed read, and every transition, once each from the start of world 0."""
    local = LocalBackend(domain)
    local.reset(Snapshot(domain.digest, 0))
    connection = local.world.connection
    made = [ToolCall(t.name, a) for choose in (keyed_reads, transitions) for t, usable in choose(domain, connection) for a in usable[:20]]
    local.close()
    return made


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def serial(calls: Sequence[ToolCall], rounds: int = 12) -> tuple[float, float]:
    """Median microseconds of a step: local, docker; call by call in turn."""
    envs = {name: ToolEnv(Worlds({NAME: GrownShelf(NAME)}), backend=name, max_steps=10**9) for name in ("local", "docker")}
    taken: dict[str, list[float]] = {name: [] for name in envs}
    for _ in range(rounds):
        for env in envs.values():
            env.reset(seed=0)
        for call in calls:
            for name, env in envs.items():
                taken[name].append(timed(lambda env=env, call=call: env.step(call)))  # type: ignore[misc]
    for env in envs.values():
        env.close()
    return statistics.median(taken["local"]) * 1e6, statistics.median(taken["docker"]) * 1e6


def in_flight(calls: Sequence[ToolCall], rounds: int = 60) -> tuple[float, float]:
    """Median microseconds a step of a vector of 64 environments: local, docker."""
    vectors = {name: ToolVectorEnv(ToolEnv(Worlds({NAME: GrownShelf(NAME)}), backend=name, max_steps=10**9), FLIGHT) for name in ("local", "docker")}
    taken: dict[str, list[float]] = {name: [] for name in vectors}
    for vector in vectors.values():
        vector.reset(seed=0)
    for index in range(rounds):
        actions = [calls[(index + offset) % len(calls)] for offset in range(FLIGHT)]
        for name, vector in vectors.items():
            taken[name].append(timed(lambda vector=vector, actions=actions: vector.step(actions)) / FLIGHT)  # type: ignore[misc]
    for vector in vectors.values():
        vector.close()
    return statistics.median(taken["local"]) * 1e6, statistics.median(taken["docker"]) * 1e6


def starts(domain: Domain, pool: Pool, count: int = 200) -> float:
    """Median milliseconds until an episode has begun, in a container that is warm."""
    backend = DockerBackend(domain, pool=pool)
    start = Snapshot(domain.digest, 0)
    backend.reset(start)
    taken = [timed(lambda: backend.reset(start)) for _ in range(count)]
    backend.close()
    return statistics.median(taken) * 1e3


def ready(pool: Pool, count: int = 7) -> float:
    """Median milliseconds from nothing to a container that takes orders."""
    taken = []
    for _ in range(count):
        other = Pool(pool.engine, spares=0)
        taken.append(timed(other.any_container))
        other.close()
    return statistics.median(taken) * 1e3


def megabytes(container: Container) -> float:
    """Memory that the container's processes own."""
    facts = container.engine.client.api.stats(container.id, stream=False)["memory_stats"]["stats"]
    return float(facts["anon"] if "anon" in facts else facts["total_rss"]) / 1e6


def memory(domain: Domain, calls: Sequence[ToolCall]) -> tuple[float, float, float, float]:
    """Megabytes idle, with a domain's world, and of a live episode among 200 that each made calls; and calls a second of all 200."""
    pool = Pool(shared_pool().engine, spares=0)
    container = pool.any_container()
    idle = megabytes(container)
    backends = [DockerBackend(domain, pool=pool) for _ in range(MANY)]
    backends[0].reset(Snapshot(domain.digest, 0))
    loaded = megabytes(container)
    for backend in backends[1:]:
        backend.reset(Snapshot(domain.digest, 0))
    begun = time.perf_counter()
    for index in range(10):
        for result in together([(backend, calls[(index + offset) % len(calls)]) for offset, backend in enumerate(backends)]):
            if isinstance(result, Exception):
                raise result
    rate = 10 * MANY / (time.perf_counter() - begun)
    full = megabytes(container)
    pool.close()
    return idle, loaded, (full - loaded) / (MANY - 1), rate


def measure() -> dict[str, Any]:
    """All figures."""
    domain, pool = load_domain(NAME), shared_pool()
    assert NAME in catalog()
    calls = calls_of(domain)
    local, docker = serial(calls)
    local_64, docker_64 = in_flight(calls)
    idle, loaded, episode, rate = memory(domain, calls)
    return {
        "step_ratio_serial": docker / local,
        "step_us_serial": {"local": local, "docker": docker},
        "step_ratio_64_in_flight": docker_64 / local_64,
        "step_us_64_in_flight": {"local": local_64, "docker": docker_64},
        "episode_start_ms": starts(domain, pool),
        "container_ready_ms": ready(pool),
        "idle_container_mb": idle,
        "loaded_container_mb": loaded,
        "episode_mb": episode,
        "episodes_at_once": MANY,
        "calls_per_second_of_all": rate,
        "transport": pool.transport,
        "engine": pool.engine.version.get("Version"),
        "machine": machine(),
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    emit("sandbox", measure(), as_json=options.json, record=options.record)
    shared_pool().close()


if __name__ == "__main__":
    main()
