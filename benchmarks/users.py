"""Whether scripted users ever fail a right agent: the reference in many conversations, over all domains, kinds and manners."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from typing import Any

import orjson
from measure import RESULTS, machine

from envs import ToolEnv, worlds_of
from synthtools.catalog import catalog
from synthtools.generate import Factory
from synthtools.load import load_domain
from synthtools.task import Task, resolve
from synthtools.user import RESPOND
from synthtools.voices import VOICES

CONVERSATIONS = 10_000
TASKS = 24
"""Proven tasks of each kind and domain; each is talked about many times, by users of every manner and of many seeds."""
KINDS = ("missing_information", "confirmation", "identity", "dual_control")
_TRIES = 8


def talking_tasks(name: str, seed: int, tasks: int) -> list[Task]:
    """Proven tasks with a user in them, of every kind that the domain has."""
    factory = Factory(load_domain(name), seed)
    found = []
    for kind in KINDS:
        pairs = (pair for number in range(tasks * _TRIES) if (pair := factory.attempt(kind, number)))
        found += [replace(t, id=f"{name}/{kind}/{n:04d}") for n, t in enumerate(islice((task for pair in pairs for task in pair), tasks))]
    return found


def measure_domain(name: str, conversations: int, seed: int, tasks: int) -> dict[str, Counter[str]]:
    """Kind → figures, of so many conversations about one domain's tasks."""
    found = talking_tasks(name, seed, tasks)
    env = ToolEnv(worlds_of(found, {name: load_domain(name)}))
    counted: dict[str, Counter[str]] = {}
    manners = list(VOICES)
    for number, task in enumerate(islice(cycle(found), conversations)):
        if task.user is not None:
            manner = manners[number // len(found) % len(manners)]
            _converse(env, replace(task, user=replace(task.user, manner=manner, seed=number)), counted.setdefault(task.kind, Counter()))
    env.close()
    return counted


def _converse(env: ToolEnv, task: Task, count: Counter[str]) -> None:
    """The reference in one conversation."""
    env.reset(options={"task": task})
    for step in task.solution:
        env.step(resolve(step, [orjson.loads(result.content) for _, result in env.calls]))
    said = sum(call.name == RESPOND.name for call, _ in env.calls)
    count.update(conversations=1, success=int(env.judgement.success), turns=said, calls=len(env.calls), left=int(env.truncated))
    count[f"turns_{said}"] += 1


def measure(domains: list[str], conversations: int, seed: int, workers: int, tasks: int = TASKS) -> dict[str, Any]:
    """All domains, about equally often; the same for any number of workers."""
    shares = [conversations // len(domains) + (number < conversations % len(domains)) for number in range(len(domains))]
    by_domain = dict(zip(domains, _in_processes(domains, shares, workers, partial(measure_domain, seed=seed, tasks=tasks)), strict=True))
    kinds: dict[str, Counter[str]] = {}
    for counted in by_domain.values():
        for kind, count in counted.items():
            kinds.setdefault(kind, Counter()).update(count)
    total = sum(kinds.values(), Counter())
    return {
        "conversations": total["conversations"],
        "success": total["success"] / max(1, total["conversations"]),
        "users_who_left": total["left"],
        "turns": total["turns"] / max(1, total["conversations"]),
        "by_kind": {kind: dict(sorted(count.items())) for kind, count in sorted(kinds.items())},
        "by_domain": {name: {kind: count["conversations"] for kind, count in counted.items()} for name, counted in by_domain.items()},
    }


def _in_processes(domains: list[str], shares: list[int], workers: int, work: Any) -> Iterator[dict[str, Counter[str]]]:
    if workers <= 1 or len(domains) == 1:
        yield from map(work, domains, shares)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(work, domains, shares)


def main() -> int:
    """Measure, print, and say by the exit code whether the reference always succeeded."""
    parser = argparse.ArgumentParser(description="The reference's success in conversations with scripted users.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/users.json")
    parser.add_argument("--domains", default="", help="comma-separated; default: the whole catalogue")
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    domains = options.domains.split(",") if options.domains else list(catalog())
    result = measure(domains, options.conversations, options.seed, options.workers)
    result["seconds"] = round(time.perf_counter() - began, 1)
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        recorded = {**result, "command": " ".join(["python benchmarks/users.py", *sys.argv[1:]]), "machine": machine()}
        (RESULTS / "users.json").write_bytes(orjson.dumps(recorded, option=orjson.OPT_INDENT_2) + b"\n")
    if options.json:
        print(orjson.dumps(result).decode())
    else:
        for name, value in result.items():
            print(f"{name:20} {value}")
    return int(result["success"] < 1)


if __name__ == "__main__":
    sys.exit(main())
