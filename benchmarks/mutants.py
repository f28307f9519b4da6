"""The audit's own error rate: of the faulty tools that behave otherwise, how many does a thorough audit report?

    python benchmarks/mutants.py [--json] [--record] [--domains a,b] [--limit N] [--workers W] [--seed S]

Mutants of every tool: a guard dropped or flipped, a comparison off by one, a wrong column, constant or parameter, an
effect missing; each linked as the compiler would. Caught is one of which `synthtools audit` reports a failure.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

from measure import emit, machine

from synthtools.audit import MutantReport, audit_mutants
from synthtools.catalog import catalog
from synthtools.load import load_domain

LIMIT = 3
"""Mutants of a tool, drawn by the seed; 0: all."""
TARGET = 0.95


def measure_domain(name: str, *, seed: int, limit: int) -> MutantReport:
    """The mutants of one domain."""
    return audit_mutants(load_domain(name), seed, limit or None)


def measure(domains: Sequence[str], limit: int, seed: int, workers: int) -> list[MutantReport]:
    """The mutants of all domains; the same for any number of workers."""
    work = partial(measure_domain, seed=seed, limit=limit)
    if workers <= 1 or len(domains) == 1:
        return list(map(work, domains))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        return list(pool.map(work, domains))


def result_of(reports: Sequence[MutantReport]) -> dict[str, Any]:
    """The figures as plain data."""
    kinds: dict[str, list[int]] = {}
    for report in reports:
        for kind, counts in report.by_kind.items():
            kinds[kind] = [a + b for a, b in zip(kinds.get(kind, (0, 0, 0)), counts, strict=True)]
    made, told, caught = (sum(counts[i] for counts in kinds.values()) for i in range(3))
    return {
        "mutants": made,
        "distinguishable": told,
        "caught": caught,
        "share": caught / max(1, told),
        "by_kind": {k: {"mutants": m, "distinguishable": d, "caught": c, "share": round(c / max(1, d), 3)} for k, (m, d, c) in kinds.items()},
        "by_domain": {r.domain: {"distinguishable": r.distinguishable, "caught": r.detected, "share": round(r.share, 3)} for r in reports},
        "survivors": [{"domain": r.domain, **asdict(s)} for r in reports for s in r.survivors],
    }


def main() -> int:
    """Measure, print, and say by the exit code whether the share reaches the target."""
    parser = argparse.ArgumentParser(description="How many faulty tools the audit tells from the sound ones.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/mutants.json")
    parser.add_argument("--domains", default="", help="comma-separated; default: the whole catalogue")
    parser.add_argument("--limit", type=int, default=LIMIT, help="at most so many mutants of each tool; 0: all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    domains = options.domains.split(",") if options.domains else list(catalog())
    result = result_of(measure(domains, options.limit, options.seed, options.workers))
    command = " ".join(["python benchmarks/mutants.py", *sys.argv[1:]])
    result |= {"limit": options.limit, "seconds": time.perf_counter() - began, "command": command, "machine": machine()}
    emit("mutants", result, as_json=options.json, record=options.record)
    return int(result["share"] < TARGET)


if __name__ == "__main__":
    sys.exit(main())
