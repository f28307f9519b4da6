"""The verifier's error rates against an independent oracle: wrong episodes accepted, right ones rejected.

    python benchmarks/verifier.py [--json] [--record] [--domains a,b] [--episodes N] [--workers W] [--seed S]

Reference solutions of fresh tasks are altered, carried out from the task's start, ended and judged. An episode counts
as wrong or right by the oracle's verdict (benchmarks/oracle.py), not by what the alteration was meant to be.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import endings
import orjson
import rights
import wrongs
from alterations import Alteration, Case, combined
from episode import Plan, Played, Stage
from measure import RESULTS, machine
from oracle import Oracle

from synthtools.backend import LocalBackend
from synthtools.catalog import catalog
from synthtools.domain import Domain
from synthtools.generate import generate_domain
from synthtools.goal import Changes, Ending, Goal, Judgement
from synthtools.judge import MatchTooHard, judge
from synthtools.load import load_domain
from synthtools.sample import CallSampler
from synthtools.seed import derive, generator

_WRONG, _RIGHT = (*wrongs.WRONG, *endings.WRONG), (*rights.RIGHT, *endings.RIGHT)
ALTERATIONS = (
    *_WRONG,
    Alteration("a detour, then wrong", "wrong", combined(_RIGHT, _WRONG), most=3),
    *_RIGHT,
    Alteration("two detours", "right", combined(_RIGHT, _RIGHT), most=3),
)
EPISODES = 10_000
TASKS = 40
"""Tasks of a domain in one round."""
ROUNDS = 200
SHOWN = 20
TARGET = 0.001

Job = tuple[str, int, int]
"""(domain, seed, round)."""
Judge = Callable[[Goal, Changes, Ending | None, Domain], Judgement]


@dataclass(slots=True)
class Count:
    """What became of the episodes of one alteration."""

    meant: str
    gate: bool
    wrong: int = 0
    wrong_accepted: int = 0
    right: int = 0
    right_rejected: int = 0
    raised: int = 0

    def add(self, other: Count) -> None:
        """Take in another count of the same alteration."""
        self.wrong += other.wrong
        self.wrong_accepted += other.wrong_accepted
        self.right += other.right
        self.right_rejected += other.right_rejected
        self.raised += other.raised

    @property
    def against(self) -> int:
        """Episodes of which the oracle says otherwise than was meant."""
        return self.right if self.meant == "wrong" else self.wrong


@dataclass(slots=True)
class Tally:
    """Counts by alteration, and the episodes of which judge and oracle disagree."""

    counts: dict[str, Count] = field(default_factory=lambda: {a.name: Count(a.meant, a.gate) for a in ALTERATIONS})
    disagreements: list[dict[str, Any]] = field(default_factory=list)
    tasks: int = 0

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        for name, count in other.counts.items():
            self.counts[name].add(count)
        self.disagreements += other.disagreements
        self.tasks += other.tasks

    def total(self, what: str, *, unseen: bool = False) -> int:
        """The sum of one kind of count; `unseen`: only of alterations that no gate uses."""
        return sum(getattr(c, what) for c in self.counts.values() if not (unseen and c.gate))

    def worst(self) -> list[dict[str, Any]]:
        """The worst disagreements: wrong ones accepted first, at most four of an alteration before any other's fifth."""
        seen: dict[str, int] = {}
        ranked: list[tuple[bool, bool, int, dict[str, Any]]] = []
        for found in self.disagreements:
            seen[found["alteration"]] = seen.get(found["alteration"], 0) + 1
            ranked.append((seen[found["alteration"]] > 4, found["oracle"] == "right", len(ranked), found))
        return [found for *_, found in sorted(ranked, key=lambda r: r[:3])[:SHOWN]]

    def result(self) -> dict[str, Any]:
        """The figures as plain data."""
        named = ("wrong", "right")
        return {
            "wrong_episodes": self.total("wrong"),
            "wrong_accepted": self.total("wrong_accepted"),
            "right_episodes": self.total("right"),
            "right_rejected": self.total("right_rejected"),
            "raised": self.total("raised"),
            **{f"{n}_of_kinds_no_gate_uses": round(self.total(n, unseen=True) / max(1, self.total(n)), 3) for n in named},
            "tasks": self.tasks,
            "against_intention": sum(c.against for c in self.counts.values()),
            "by_alteration": {
                name: {
                    n: getattr(c, n) for n in ("meant", "gate", "wrong", "wrong_accepted", "right", "right_rejected", "raised", "against")
                }
                for name, c in self.counts.items()
            },
            "worst": self.worst(),
        }


def measure_round(job: Job, *, tasks: int = TASKS, judged: Judge = judge) -> Tally:
    """One round of one domain: its own tasks, every alteration that applies; not those with faults, where a call that is moved fares otherwise."""
    name, seed, number = job
    domain = load_domain(name)
    stage = Stage(domain, LocalBackend(domain))
    oracle = Oracle(stage)
    sampler = CallSampler(domain, stage.backend, generator())
    made = [task for task in generate_domain(domain, tasks, derive("verifier", seed, number)).tasks if not task.faults]
    twins = {task.id: task for task in made}
    tally = Tally(tasks=len(made))
    for task in made:
        references = oracle.references(task)
        played = stage.play(task, references[0].plan)
        peers = [t for t in made if (t.start, t.withheld) == (task.start, task.withheld) and t.id != task.id]
        case = Case(task, twins.get(task.twin), peers, stage, oracle, references, played, sampler, generator())
        for alteration, plan in altered(case):
            _compare(tally, case, alteration, plan, judged)
    return tally


def altered(case: Case) -> Iterator[tuple[Alteration, Plan]]:
    """The altered plans of a task, each once."""
    seen: set[str] = set()
    for alteration in ALTERATIONS:
        for plan in alteration.plans(case):
            text = repr(([(a.name, a.arguments, a.as_text) for a in plan.acts], plan.ending))
            if text not in seen:
                seen.add(text)
                yield alteration, plan


def _compare(tally: Tally, case: Case, alteration: Alteration, plan: Plan, judged: Judge) -> None:
    """Carry out one altered plan, and set the judge's verdict against the oracle's."""
    played = case.stage.play(case.task, plan)
    fault = case.oracle.fault(case.task, case.references, played)
    count = tally.counts[alteration.name]
    try:
        judgement = judged(case.task.goal, played.changes, played.ending, case.domain)
        accepted, reason = judgement.success, str(judgement.reason)
    except MatchTooHard:
        accepted, reason = False, "raised"
        count.raised += 1
    if fault:
        count.wrong += 1
        count.wrong_accepted += accepted
    else:
        count.right += 1
        count.right_rejected += not accepted
    if accepted == bool(fault):
        tally.disagreements.append(_described(case, alteration, played, (fault, accepted, reason)))


def _described(case: Case, alteration: Alteration, played: Played, verdicts: tuple[str, bool, str]) -> dict[str, Any]:
    fault, accepted, reason = verdicts
    return {
        "alteration": alteration.name,
        "task": case.task.id,
        "world": case.task.start.world,
        "request": case.task.request,
        "oracle": f"wrong: {fault}" if fault else "right",
        "judge": "accepted" if accepted else f"rejected: {reason}",
        "reference": [*case.played.shown()],
        "altered": played.shown(),
        "wanted": [[str(a.answer), a.outcome, a.about] for a in case.task.goal.alternatives[:3]],
    }


def measure(domains: Sequence[str], episodes: int, seed: int, workers: int, *, tasks: int = TASKS) -> Tally:
    """Rounds over all domains until there are enough wrong and enough right episodes; the same for any number of workers."""
    tally = Tally()
    for number in range(ROUNDS):
        jobs = [(name, seed, number) for name in domains]
        for made in _in_processes(jobs, workers, tasks):
            tally.add(made)
        if min(tally.total("wrong"), tally.total("right")) >= episodes or not tally.tasks:
            break
    return tally


def _in_processes(jobs: list[Job], workers: int, tasks: int) -> Iterator[Tally]:
    work = partial(measure_round, tasks=tasks)
    if workers <= 1 or len(jobs) == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(work, jobs)


def show(result: dict[str, Any]) -> None:
    """The figures for a person."""
    print(f"{'alteration':28} {'gate':4} {'wrong':>7} {'accepted':>8} {'right':>7} {'rejected':>8} {'not as meant':>12}")
    for name, c in result["by_alteration"].items():
        gate = "yes" if c["gate"] else ""
        print(f"{name:28} {gate:4} {c['wrong']:7} {c['wrong_accepted']:8} {c['right']:7} {c['right_rejected']:8} {c['against']:12}")
    print()
    for found in result["worst"]:
        print(f"{found['alteration']}: {found['task']} — oracle {found['oracle']}, judge {found['judge']}\n  {found['request']}")
        print("  reference", *found["reference"], "altered", *found["altered"], f"wanted {found['wanted']}", sep="\n    ")
    for name, value in result.items():
        if name not in ("by_alteration", "worst"):
            print(f"{name:34} {value}")


def main() -> int:
    """Measure, print, and say by the exit code whether both rates are within the target."""
    parser = argparse.ArgumentParser(description="The verifier's error rates against an independent oracle.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/verifier.json")
    parser.add_argument("--domains", default="", help="comma-separated; default: the whole catalogue")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="at least so many wrong and so many right ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    domains = options.domains.split(",") if options.domains else list(catalog())
    result = measure(domains, options.episodes, options.seed, options.workers).result()
    result = {**result, "domains": domains, "seconds": round(time.perf_counter() - began, 1)}
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        recorded = {**result, "command": " ".join(["python benchmarks/verifier.py", *sys.argv[1:]]), "machine": machine()}
        (RESULTS / "verifier.json").write_bytes(orjson.dumps(recorded, option=orjson.OPT_INDENT_2) + b"\n")
    if options.json:
        print(orjson.dumps(result).decode())
    else:
        show(result)
    rates = (result["wrong_accepted"] / max(1, result["wrong_episodes"]), result["right_rejected"] / max(1, result["right_episodes"]))
    return int(max(rates) > TARGET)


if __name__ == "__main__":
    sys.exit(main())
