"""Packs of proven tasks: candidates are made kind by kind, every gate is enforced, every reject is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from functools import partial

from synthtools.backend import LocalBackend
from synthtools.backends import BackendName, open_backend
from synthtools.domain import Domain
from synthtools.load import load_domain, source_length
from synthtools.mirror import MirroredBackend
from synthtools.orphan import crew
from synthtools.populate import WORLDS
from synthtools.proof import Prover
from synthtools.seed import derive, generator
from synthtools.task import KINDS, Task
from synthtools.tasks.build import NotBuilt
from synthtools.tasks.kinds import KINDS as MAKERS
from synthtools.tasks.maker import Candidate, Maker

SHARES: Mapping[str, float] = {
    "single": 0.11,
    "chain": 0.13,
    "several": 0.09,
    "conditional": 0.09,
    "question": 0.10,
    "missing_tool": 0.08,
    "forbidden": 0.09,
    "missing_information": 0.07,
    "confirmation": 0.05,
    "identity": 0.06,
    "dual_control": 0.05,
    "recovery": 0.08,
}
"""Share of each kind in a default pack."""
TASKS_PER_DOMAIN = 316
SKELETON_LIMIT = 4
"""Tasks of a domain whose requests differ only in their values."""
PACK_SKELETON_LIMIT = 5
_TRIES = 40
"""Attempts for each wanted task before a kind is given up."""

Dropped = dict[str, dict[str, int]]
Difficulty = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Made:
    """The proven tasks of one domain, and how many candidates each gate turned away, by kind."""

    domain: str
    tasks: tuple[Task, ...]
    dropped: Mapping[str, Mapping[str, int]]
    checked: Mapping[str, int]
    """Gate → how often it had something to check."""


@dataclass(frozen=True, slots=True)
class GeneratedPack:
    """Proven tasks of several domains."""

    domains: Mapping[str, Domain]
    tasks: tuple[Task, ...]
    dropped: Mapping[str, Mapping[str, int]]
    checked: Mapping[str, int]


class Factory:
    """Makes and proves tasks of one domain; the same seed, kind and number give the same task."""

    def __init__(self, domain: Domain, seed: int, backend: BackendName | None = None) -> None:
        """`backend` docker: every proof is carried out in a container too."""
        self.domain, self.seed = domain, seed
        self.backend = LocalBackend(domain)
        local = LocalBackend(domain)
        self.prover = Prover(domain, MirroredBackend(local, open_backend(domain, backend)) if backend == "docker" else local)
        self.dropped: Dropped = {}
        self._makers: dict[int, Maker] = {}

    def attempt(self, kind: str, number: int) -> tuple[Task, ...]:
        """One proven task (or a pair of twins) of a kind, or nothing; the reason is counted."""
        world = derive("world of", self.domain.name, self.seed, kind, number) % WORLDS
        maker = self._makers.get(world)
        if maker is None:
            maker = self._makers[world] = Maker(self.domain, self.backend, world, generator())
        maker.rng.seed(derive("task", self.domain.name, self.seed, kind, number))
        try:
            maker.begin()
            candidates = MAKERS[kind](maker)
        except NotBuilt as reason:
            self._drop(f"not_built:{reason}", kind)
            return ()
        for candidate in candidates:
            gate = self._judge(candidate)
            if gate:
                self._drop(gate if len(candidates) == 1 else f"twins:{gate}", kind)
                return ()
        self.prover.checked["twins"] += len(candidates) > 1
        return tuple(c.task for c in candidates)

    def _judge(self, candidate: Candidate) -> str:
        return self.prover.prove(candidate.task, candidate.described, candidate.recovery)

    def _drop(self, gate: str, kind: str) -> None:
        kinds = self.dropped.setdefault(gate, {})
        kinds[kind] = kinds.get(kind, 0) + 1

    def tasks(self, kind: str, wanted: int, *, difficulty: Difficulty = (1, 10), skeletons: Counter[str] | None = None) -> Iterator[Task]:
        """Up to so many proven tasks of a kind. `skeletons` counts requests alike but for their values."""
        skeletons = Counter() if skeletons is None else skeletons
        made, requests = 0, set()
        for number in range(wanted * _TRIES):
            if made >= wanted:
                return
            pair = self.attempt(kind, number)
            if not pair:
                continue
            if not all(difficulty[0] <= task.difficulty <= difficulty[1] for task in pair):
                self._drop("difficulty", kind)
                continue
            alike = skeletons[pair[0].skeleton] + len(pair) > SKELETON_LIMIT
            if alike or (pair[0].request, pair[0].start.world) in requests:
                self._drop("alike", kind)
                continue
            skeletons[pair[0].skeleton] += len(pair)
            requests.add((pair[0].request, pair[0].start.world))
            yield from named(pair, made)
            made += len(pair)


def named(pair: Sequence[Task], number: int) -> tuple[Task, ...]:
    """Tasks with their ids; twins know each other."""
    stem = f"{pair[0].domain}/{pair[0].kind}/{number:04d}"
    if len(pair) == 1:
        return (replace(pair[0], id=stem),)
    first, second = f"{stem}a", f"{stem}b"
    return replace(pair[0], id=first, twin=second), replace(pair[1], id=second, twin=first)


def quotas(count: int) -> dict[str, int]:
    """How many of so many tasks are of each kind: by the shares, what is left over going to the largest remainders."""
    exact = {kind: count * share for kind, share in SHARES.items()}
    whole = {kind: int(number) for kind, number in exact.items()}
    for kind in sorted(SHARES, key=lambda kind: whole[kind] - exact[kind])[: count - sum(whole.values())]:
        whole[kind] += 1
    return whole


def generate_domain(domain: Domain, count: int, seed: int, *, difficulty: Difficulty = (1, 10), backend: BackendName | None = None) -> Made:
    """About `count` proven tasks of a domain, in the default shares; what a kind cannot fill, chains and several fill."""
    factory = Factory(domain, seed, backend)
    skeletons: Counter[str] = Counter()
    made: dict[str, list[Task]] = {}
    for kind, wanted in quotas(count).items():
        made[kind] = list(factory.tasks(kind, wanted, difficulty=difficulty, skeletons=skeletons))
    short = count - sum(map(len, made.values()))
    if short > 0:
        room = max(0, int(count * 0.29) - len(made["chain"]))
        again = Factory(domain, derive(seed, "more"), backend)
        more = [t for t in again.tasks("chain", min(short, room), difficulty=difficulty, skeletons=skeletons)]
        start = len(made["chain"])
        made["chain"] += [replace(t, id=f"{domain.name}/chain/{start + i:04d}") for i, t in enumerate(more)]
    tasks = tuple(task for kind in KINDS for task in made[kind])
    return Made(domain.name, tasks, factory.dropped, factory.prover.checked)


def _work(name: str, *, count: int, seed: int, difficulty: Difficulty, backend: BackendName | None) -> Made:
    return generate_domain(load_domain(name), count, seed, difficulty=difficulty, backend=backend)


def generate_pack(  # noqa: PLR0913 - all that a pack depends on, by name
    names: Sequence[str],
    tasks_per_domain: int = TASKS_PER_DOMAIN,
    *,
    seed: int = 0,
    workers: int = 1,
    difficulty: Difficulty = (1, 10),
    backend: BackendName | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> GeneratedPack:
    """Proven tasks of catalogue domains or blueprint files, the same whatever the number of workers.

    `backend` docker carries every proof out in a container too. `progress` is told the domain done and how many tasks it gave.
    Raises ValueError and BlueprintError as load_domain does.
    """
    work = partial(_work, count=tasks_per_domain, seed=seed, difficulty=difficulty, backend=backend)
    made = _in_processes(work, [str(name) for name in names], workers, progress or (lambda _domain, _tasks: None))
    domains = {domain.name: domain for domain in map(load_domain, names)}
    changed = [r.domain for r in made if r.tasks and r.tasks[0].start.domain != domains[r.domain].digest]
    if changed:
        raise ValueError(f"{changed[0]}: the blueprint changed while tasks were made from it; generate again")
    dropped: Dropped = {}
    checked: Counter[str] = Counter()
    for result in made:
        checked.update(result.checked)
        for gate, kinds in result.dropped.items():
            for kind, number in kinds.items():
                dropped.setdefault(gate, {})[kind] = dropped.get(gate, {}).get(kind, 0) + number
    tasks = _few_alike([task for result in made for task in result.tasks], dropped)
    return GeneratedPack(domains, tasks, {g: dict(sorted(k.items())) for g, k in sorted(dropped.items())}, dict(checked))


def _in_processes(work: Callable[[str], Made], names: list[str], workers: int, progress: Callable[[str, int], None]) -> list[Made]:
    """What is made of each name, in their order; long blueprints, which take longest, are begun first."""
    if workers <= 1 or len(names) == 1:
        made = []
        for name in names:
            made.append(work(name))
            progress(made[-1].domain, len(made[-1].tasks))
        return made
    with crew(workers) as pool:
        futures = {name: pool.submit(work, name) for name in sorted(names, key=lambda name: -source_length(name))}
        for future in as_completed(futures.values()):
            progress(future.result().domain, len(future.result().tasks))
        return [futures[name].result() for name in names]


def _few_alike(tasks: list[Task], dropped: Dropped) -> tuple[Task, ...]:
    """The tasks without those whose skeleton stands too often in the whole pack."""
    seen: Counter[str] = Counter()
    kept, gone = [], set()
    for task in tasks:
        if task.twin in gone or seen[task.skeleton] >= PACK_SKELETON_LIMIT - bool(task.twin and task.id.endswith("a")):
            gone.add(task.id)
            kinds = dropped.setdefault("alike", {})
            kinds[task.kind] = kinds.get(task.kind, 0) + 1
            continue
        seen[task.skeleton] += 1
        kept.append(task)
    return tuple(kept)
