"""What a domain, a task and a trajectory cost, each at three sizes; keyed steps by world size; memory of a live episode.

    python benchmarks/scale.py [--json] [--record] [--domains NAME …]

Worlds: of every domain of the catalogue, with 1,000, 10,000 and 100,000 rows. Domains: compiled and audited.
Tasks: generated and proven in packs of three sizes. Trajectories: the reference agent's, rolled out and validated, in runs of
three sizes. Medians over domains.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from measure import emit, machine

from agents.agent import scripted
from agents.rollout import Plan, Player
from synthtools.audit import audit_domain
from synthtools.backend import LocalBackend, Snapshot
from synthtools.catalog import catalog
from synthtools.compile import compile_file
from synthtools.domain import Domain
from synthtools.generate import generate_domain
from synthtools.load import load_domain
from synthtools.pack import Pack
from synthtools.populate import build_world
from synthtools.tool import ToolCall
from synthtools.world import World

ROWS = (1_000, 10_000, 100_000)
PACKS = (20, 60, 180)
RUNS = (20, 60, 180)
EPISODES = 60


def seconds(work: Any) -> tuple[float, Any]:
    """How long a call took, and what it gave."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def keyed_step_us(domain: Domain, world: World) -> float:
    """Median microseconds of a keyed read in a world, over its `get` tools."""
    backend = LocalBackend(domain)
    backend._worlds[0] = world  # the world at hand, whatever its size
    backend.reset(Snapshot(domain.digest, 0))
    times = []
    for tool in domain.tools.values():
        if tool.origin.kind != "get":
            continue
        ids = [row[0] for row in world.connection.execute(f'SELECT id FROM "{tool.origin.entity}" ORDER BY id LIMIT 200')]
        calls = [ToolCall(tool.name, {f"{tool.origin.entity}_id": i}) for i in ids]
        for call in (calls * (200 // len(calls) + 1))[:200]:
            begun = time.perf_counter()
            backend.call(call)
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6


def resident_kib() -> int:
    """Memory of this process."""
    return int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")))


def memory_of_an_episode(domain: Domain) -> float:
    """KiB of a live episode in a backend of its own, after one read."""
    start = Snapshot(domain.digest, 0)
    LocalBackend(domain).reset(start)
    tool = next(t for t in domain.tools.values() if t.origin.kind == "search")
    before, backends = resident_kib(), []
    for _ in range(EPISODES):
        backend = LocalBackend(domain)
        backend.reset(start)
        backend.call(ToolCall(tool.name, {}))
        backends.append(backend)
    used = (resident_kib() - before) / EPISODES
    for backend in backends:
        backend.close()
    return used


def population(domain: Domain) -> dict[str, float]:
    """Milliseconds to build a domain's worlds, how many rows they hold, and what a keyed read in them costs."""
    found: dict[str, float] = {}
    for rows in ROWS:
        taken, image = seconds(lambda rows=rows: build_world(domain, 0, rows))
        world = World(domain, image)
        made = sum(world.connection.execute(f'SELECT COUNT(*) FROM "{table}"').get for table in domain.tables)
        found |= {f"populate_ms_{rows}": round(taken * 1e3, 1), f"rows_{rows}": made, f"keyed_step_us_{rows}": round(keyed_step_us(domain, world), 1)}
        world.close()
    return found


def costs(domain: Domain, path: Path) -> dict[str, float]:
    """Every other figure of one domain."""
    found = {"compile_ms": seconds(lambda: compile_file(path))[0] * 1e3}
    found["audit_ms"] = seconds(lambda: audit_domain(domain, thorough=False))[0] * 1e3
    tasks: tuple[Any, ...] = ()
    for size in PACKS:
        taken, made = seconds(lambda size=size: generate_domain(domain, size, 1))
        tasks = made.tasks
        found[f"task_ms_{size}"] = taken * 1e3 / len(tasks)
    pack = Pack({domain.name: domain}, tasks, 1, {}, "scale")
    player = Player(Plan(pack, (scripted("solution"),)))
    for size in RUNS:
        items = [(task.id, 0, trial) for trial in range(-(-size // len(tasks))) for task in tasks][:size]
        taken, rows = seconds(lambda items=items: [player.play(item) for item in items])
        found[f"trajectory_ms_{size}"] = taken * 1e3 / len(rows)
    found["episode_kib"] = memory_of_an_episode(domain)
    return found


def main() -> None:
    """Measure, print, and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/scale.json")
    parser.add_argument("--domains", nargs="*", default=["marina_berths", "motor_claims", "freight_forwarding"])
    options = parser.parse_args()
    every = [costs(load_domain(name), catalog()[name].path) for name in options.domains]
    worlds = {name: population(load_domain(name)) for name in catalog()}
    result: dict[str, Any] = {key: statistics.median(found[key] for found in every) for key in every[0]}
    result |= {key: statistics.median(found[key] for found in worlds.values()) for key in next(iter(worlds.values()))}
    result |= {"domains": options.domains, "worlds": worlds, "machine": machine()}
    result["domains_audited_per_second"] = 1000 / result["audit_ms"]
    result["tasks_proven_per_second"] = 1000 / result[f"task_ms_{PACKS[-1]}"]
    result["trajectories_validated_per_second"] = 1000 / result[f"trajectory_ms_{RUNS[-1]}"]
    emit("scale", result, as_json=options.json, record=options.record)


if __name__ == "__main__":
    main()
