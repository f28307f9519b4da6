"""What a step costs beside the bare SQL that it runs, a reset, and vectors beside Gymnasium's and BFCL's executors.

    python benchmarks/step.py [--json] [--record]

Bare is the same bound statements on the same connection settings in the same process: `let` rows, guards, effects and
result, in a savepoint where the tool writes, the result as JSON text. The workload is every keyed read and every
lifecycle transition of all domains; each is timed call by call, bare and step in turn, and the ratio is of medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import orjson
from measure import bfcl_calls_per_second, emit, machine

import envs
from envs.env import ToolEnv
from envs.worlds import GrownShelf, Worlds
from synthtools.backend import LocalBackend, Snapshot
from synthtools.catalog import catalog
from synthtools.domain import Domain
from synthtools.faulty import sound
from synthtools.load import load_domain
from synthtools.tool import Tool, ToolCall

CALLS = 150


def bare_call(connection: Any, tool: Tool, arguments: dict[str, Any], now: str) -> str:
    """The statements of a tool and nothing else."""
    program = tool.program
    scope = {**dict.fromkeys(tool.parameters["properties"]), **arguments, "now": now, "today": now[:10]}
    execute = connection.execute
    if program.effects:
        execute("SAVEPOINT bare")
    for let in program.lets:
        row = execute(let.sql, scope).fetchall()
        for column, value in zip(let.columns, row[0] if row else (None,) * len(let.columns), strict=True):
            scope[f"{let.name}__{column}"] = value
    if program.guard_sql and execute(program.guard_sql, scope).get >= 0:
        raise ValueError(f"{tool.name}{arguments}: refused")
    for effect in program.effects:
        execute(effect, scope)
    shown = {key: [dict(zip(r.columns, row, strict=True)) for row in execute(r.sql, scope)] for key, r in program.returns.items()}
    if program.effects:
        execute("RELEASE bare")
    return orjson.dumps(shown).decode()


def keyed_reads(domain: Domain, connection: Any) -> Iterator[tuple[Tool, list[dict[str, Any]]]]:
    """Every `get`, with ids to read."""
    for tool in domain.tools.values():
        if tool.origin.kind == "get":
            ids = connection.execute(f'SELECT id FROM "{tool.origin.entity}" ORDER BY id LIMIT 60').fetchall()
            yield tool, [{f"{tool.origin.entity}_id": i} for (i,) in ids]


def transitions(domain: Domain, connection: Any) -> Iterator[tuple[Tool, list[dict[str, Any]]]]:
    """Every compiled lifecycle transition, with ids that are in a state to make it."""
    for tool in domain.tools.values():
        if tool.origin.kind != "transition":
            continue
        entity = tool.origin.entity
        before = [s for s, later in domain.blueprint.entities[entity].lifecycle.items() if tool.origin.state in later]
        marks = ", ".join("?" * len(before))
        ids = connection.execute(f'SELECT id FROM "{entity}" WHERE state IN ({marks}) ORDER BY id LIMIT 20', before).fetchall()
        usable = [{f"{entity}_id": i} for (i,) in ids]
        if usable:
            yield tool, usable


def ratios(domain: Domain, choose: Callable[[Domain, Any], Iterator[tuple[Tool, list[dict[str, Any]]]]]) -> Iterator[tuple[float, float]]:
    """(step over bare, microseconds of a step) for every tool of a workload."""
    env = ToolEnv(Worlds({domain.name: GrownShelf(domain.name)}))
    env.reset(options={"task": next(task for task in GrownShelf(domain.name).tasks() if not task.faults)})
    task = env.task
    backend = env.backend
    assert isinstance(backend, LocalBackend)
    start = Snapshot(domain.digest, task.start.world)
    backend.reset(start)
    workload = [(tool, [a for a in arguments if _accepted(backend, start, tool, a)]) for tool, arguments in choose(domain, backend.world.connection)]
    for tool, arguments in workload:
        if not arguments:
            continue
        bare, step = [], []
        for number in range(CALLS):
            chosen = arguments[number % len(arguments)]
            backend.reset(start)
            connection, now = backend.world.connection, backend.world.now
            begun = time.perf_counter()
            bare_call(connection, tool, chosen, now)
            bare.append(time.perf_counter() - begun)
            env.reset(options={"task": task})
            action = {"name": tool.name, "arguments": chosen}
            begun = time.perf_counter()
            env.step(action)
            step.append(time.perf_counter() - begun)
        yield statistics.median(step) / statistics.median(bare), statistics.median(step) * 1e6
    env.close()


def _accepted(backend: LocalBackend, start: Snapshot, tool: Tool, arguments: dict[str, Any]) -> bool:
    backend.reset(start)
    return backend.call(ToolCall(tool.name, arguments)).error is None


def reset_cost(domain: Domain, *, other: bool) -> float:
    """Median microseconds of env.reset, within one loaded world or to another."""
    env = ToolEnv(Worlds({domain.name: GrownShelf(domain.name)}))
    grown = GrownShelf(domain.name).tasks()
    tasks = [grown[i] for i in range(16)]
    by_world: dict[int, Any] = {t.start.world: t for t in tasks}
    pair = list(by_world.values())[:2] if other else [tasks[0], tasks[0]]
    times = []
    for number in range(400):
        task = pair[number % len(pair)]
        begun = time.perf_counter()
        env.reset(options={"task": task})
        times.append(time.perf_counter() - begun)
    env.close()
    return statistics.median(times[20:]) * 1e6


def vector_actions(env_id: str, num_envs: int) -> list[Any]:
    """A keyed read for each environment of seeds 0, 1, …, of a row that its own world holds."""
    actions = []
    for seed in range(num_envs):
        env = gymnasium.make(env_id).unwrapped
        assert isinstance(env, ToolEnv)
        env.reset(seed=seed)
        backend = sound(env.backend)
        assert isinstance(backend, LocalBackend)
        tool, arguments = next(keyed_reads(env.domain, backend.world.connection))
        actions.append(ToolCall(tool.name, arguments[0]))
        env.close()
    return actions


def vector_steps_per_second(kind: str, env_id: str, *, num_envs: int = 8, steps: int = 200) -> float:
    """Steps a second of one vector mode, on the same environments and the same keyed reads."""
    options = {"vector_kwargs": {"shared_memory": False}} if kind == "async" else {}
    vector = gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode=None if kind == "ours" else kind, max_steps=10**6, **options)
    vector.reset(seed=0)
    actions = tuple(vector_actions(env_id, num_envs))
    for _ in range(5):
        vector.step(actions)
    begun = time.perf_counter()
    for _ in range(steps):
        vector.step(actions)
    taken = time.perf_counter() - begun
    vector.close()
    return num_envs * steps / taken


def vector_ratio(env_id: str) -> float:
    """Our vector's steps a second over AsyncVectorEnv's: the median of three pairs, measured in turn."""
    return statistics.median(vector_steps_per_second("ours", env_id) / vector_steps_per_second("async", env_id) for _ in range(3))


def main() -> None:
    """Measure, print, and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/step.json")
    options = parser.parse_args()
    _ = envs
    domains = [load_domain(name) for name in catalog()]
    reads = [r for d in domains for r in ratios(d, keyed_reads)]
    writes = [r for d in domains for r in ratios(d, transitions)]
    vector = statistics.median(vector_ratio(entry.env_id) for entry in list(catalog().values())[::4])
    bfcl = bfcl_calls_per_second()
    read_us, write_us = statistics.median(r[1] for r in reads), statistics.median(w[1] for w in writes)
    result = {
        "read_ratio": statistics.median(r[0] for r in reads),
        "read_ratio_p90": statistics.quantiles([r[0] for r in reads], n=10)[-1],
        "write_ratio": statistics.median(w[0] for w in writes),
        "write_ratio_p90": statistics.quantiles([w[0] for w in writes], n=10)[-1],
        "read_us": read_us,
        "write_us": write_us,
        "reset_us": statistics.median(reset_cost(d, other=False) for d in domains),
        "reset_other_world_us": statistics.median(reset_cost(d, other=True) for d in domains),
        "vector_over_async": vector,
        "over_bfcl_read": 1e6 / read_us / bfcl[0] if bfcl else None,
        "over_bfcl_write": 1e6 / write_us / bfcl[1] if bfcl else None,
        "domains": len(domains),
        "machine": machine(),
    }
    emit("step", result, as_json=options.json, record=options.record)


if __name__ == "__main__":
    main()
