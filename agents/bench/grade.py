"""The grade of a stored run: every episode carried out again, its cause where it failed, and the figures of each agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from agents.bench.causes import CAUSES, cause_of
from agents.bench.comparison import Comparison, compare
from agents.bench.evidence import Evidence, Examiner
from agents.bench.invented import collateral, invented_arguments, invented_tools
from agents.bench.label import Label, read_label
from agents.bench.metrics import Counted, as_data, by, chances, share
from agents.budget import NOTHING, Spent, of_users
from agents.run import Row
from agents.stored import Stored
from agents.summary import names_of
from agents.validate import open_env
from synthtools.pack import Pack, load_pack
from synthtools.task import Task

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Episode:
    """One scored episode."""

    task: str
    agent: str
    """As tables name it."""
    trial: int
    field: str
    kind: str
    difficulty: int
    success: bool
    cause: str
    """A code of `CAUSES`; empty on success."""
    detail: str
    calls: int
    errors: int
    """Calls that were mistakes."""
    faults: int
    """Calls that came to a fault of the service."""
    tokens: int
    """Of completions, as the agent counts them."""
    domain: str
    reference: int
    """Calls that the reference takes."""
    invented_tools: int
    invented_arguments: int
    broken: tuple[str, ...]
    """Policies that it broke."""
    collateral: int
    seconds: float
    """Of playing and validating."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an agent took: what it spent, those episodes included that were lost, and what the scored ones came to."""

    tokens: int | None
    """Spent: of prompts and completions together. None where the agent does not count them."""
    completion_tokens: int
    """Of scored episodes."""
    money: float | None
    """Spent. None where no prices are known."""
    calls: int
    """Of scored episodes, as are the seconds."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Graded:
    """A run's grade."""

    label: Label
    trials: int
    agents: tuple[str, ...]
    """Names, in the order of the run."""
    tasks: tuple[Task, ...]
    episodes: list[Episode]
    """Those that were scored: by agent, in the order of the run, then by task and trial."""
    costs: Mapping[str, Cost]
    user: Spent | None = None
    """What the model in the users' part spent, if one was there."""

    def as_json(self) -> dict[str, Any]:
        """The object that scripts and reports rely on."""
        grades = {name: grade_json(self, name) for name in self.agents}
        first = grades[self.agents[0]] if self.agents else {}
        return {
            "suite": {"name": self.label.name, "version": self.label.version, "digest": self.label.digest, "tasks": len(self.tasks)},
            "trials": self.trials,
            "agents": grades,
            **first,
            **self.user_json(),
            "compared": [_compared(self.agents[0], name, self.compared(self.agents[0], name)) for name in self.agents[1:]],
        }

    def user_json(self) -> dict[str, Any]:
        """What the model in the users' part spent, under `user`; nothing where none was there."""
        return {"user": {"tokens": self.user.tokens or None, "money": _money(self.user.money)}} if self.user else {}

    def of(self, agent: str) -> list[Episode]:
        """The episodes of one agent."""
        return [episode for episode in self.episodes if episode.agent == agent]

    def compared(self, before: str, after: str) -> Comparison:
        """One agent against another, at the tasks that both have scored episodes of."""
        return compare(counted(self.of(before)), counted(self.of(after)))


def graded(folder: Path, *, trust: bool = False, progress: Progress | None = None) -> Graded:
    """Grade the run of a folder. Nothing is asked of agents; what a record says counts only where carrying it out gives the same.

    Wherever the run was played, compiled tools are carried out in this process, where the checks of policies see their world.
    """
    with Stored(folder) as run:
        pack = load_pack(folder / "pack", trust=trust)
        named = names_of(run.agents)
        names = {identity: named[identity] for identity in run.settings["agents"]}
        episodes = list(_episodes(run, pack, names, progress))
        costs = {name: _cost(run, identity, [episode for episode in episodes if episode.agent == name]) for identity, name in names.items()}
        user = run.settings.get("user")
        spent = _spent(run).get(of_users(user), NOTHING) if user else None
        trials = int(run.settings["trials"])
    place = {name: number for number, name in enumerate(names.values())}
    episodes.sort(key=lambda episode: (place[episode.agent], episode.task, episode.trial))
    return Graded(read_label(folder, pack), trials, tuple(names.values()), pack.tasks, episodes, costs, spent)


def _episodes(run: Stored, pack: Pack, names: Mapping[str, str], progress: Progress | None) -> Iterator[Episode]:
    env = open_env(run, pack)
    examiner, tasks = Examiner(env), {task.id: task for task in pack.tasks}
    ((total,),) = run.table("SELECT COUNT(*) FROM trajectory")
    try:
        for number, row in enumerate(_by_domain(run), 1):
            task = tasks.get(row.task)
            evidence = None if task is None or row.pack != pack.digest or row.agent not in names else _examined(examiner, row, task)
            if evidence is not None:
                yield _episode(evidence, row, names[row.agent])
            if progress is not None:
                progress(number, total)
    finally:
        env.close()


def _by_domain(run: Stored) -> Iterator[Row]:
    """The rows, those of one domain after another, for its worlds are built then."""
    for (domain,) in run.table("SELECT DISTINCT domain FROM trajectory ORDER BY domain"):
        quoted = domain.replace("'", "''")
        yield from run.rows(f"domain = '{quoted}'")


def _examined(examiner: Examiner, row: Row, task: Task) -> Evidence | None:
    """None where the record cannot be read, is not its row's, or is not what carrying it out gives: it is not scored."""
    try:
        trajectory = row.trajectory()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return examiner.examine(trajectory, task) if trajectory.key == row.key else None


def _episode(evidence: Evidence, row: Row, agent: str) -> Episode:
    task, cause = evidence.task, cause_of(evidence)
    return Episode(
        task=task.id,
        agent=agent,
        trial=row.trial,
        field=task.field,
        kind=task.kind,
        difficulty=task.difficulty,
        success=evidence.success,
        cause=cause.code if cause else "",
        detail=cause.detail if cause else "",
        calls=len(evidence.calls),
        errors=sum(made.mistaken for made in evidence.calls),
        faults=sum(made.failed and not made.mistaken for made in evidence.calls),
        tokens=row.tokens,
        domain=task.domain,
        reference=len(evidence.reference.calls),
        invented_tools=invented_tools(evidence),
        invented_arguments=invented_arguments(evidence),
        broken=evidence.broken,
        collateral=collateral(evidence),
        seconds=row.seconds,
    )


def _cost(run: Stored, identity: str, episodes: Sequence[Episode]) -> Cost:
    spent = _spent(run).get(identity, NOTHING)
    return Cost(
        tokens=spent.tokens or None,
        completion_tokens=sum(episode.tokens for episode in episodes),
        money=_money(spent.money),
        calls=sum(episode.calls for episode in episodes),
        seconds=round(sum(episode.seconds for episode in episodes), 3),
    )


def _spent(run: Stored) -> dict[str, Spent]:
    return {spender: Spent(tokens, money) for spender, tokens, money in run.table("SELECT agent, tokens, money FROM spent")}


def _money(spent: float) -> float | None:
    return round(spent, 6) or None


def counted(episodes: Sequence[Episode]) -> list[Counted]:
    """Tasks with how many of their episodes were right, of one agent."""
    right = Counter[tuple[str, str]]()
    of = Counter[tuple[str, str]]()
    for episode in episodes:
        of[episode.domain, episode.task] += 1
        right[episode.domain, episode.task] += episode.success
    return [Counted(task, domain, right[domain, task], of[domain, task]) for domain, task in sorted(of)]


def grade_json(run: Graded, agent: str) -> dict[str, Any]:
    """One agent's figures."""
    episodes, cost = run.of(agent), run.costs[agent]
    tasks = counted(episodes)
    at, hat = chances(tasks, run.trials)
    causes = Counter(episode.cause for episode in episodes if episode.cause)
    calls, errors = sum(episode.calls for episode in episodes), sum(episode.errors for episode in episodes)
    stumbled = [episode.success for episode in episodes if episode.errors]
    struck = [episode.success for episode in episodes if episode.faults]
    return {
        "success": as_data(share(tasks)),
        "pass_at_k": at,
        "pass_hat_k": hat,
        **{f"by_{key}": _grouped(episodes, key) for key in ("field", "kind", "difficulty")},
        "causes": {code: causes[code] for code in CAUSES if code in causes},
        "cost": asdict(cost),
        "calls_ratio": _rounded([episode.calls / episode.reference for episode in episodes if episode.success], median),
        "error_rate": round(errors / calls, 4) if calls else None,
        "recovery_rate": _rounded(stumbled, fmean),
        "faults": sum(episode.faults for episode in episodes),
        "fault_recovery_rate": _rounded(struck, fmean),
        "hallucinated_tools": sum(episode.invented_tools for episode in episodes),
        "hallucinated_arguments": sum(episode.invented_arguments for episode in episodes),
        "violations": sum(bool(episode.broken) for episode in episodes),
        "collateral": sum(episode.collateral for episode in episodes),
        "unscored": len(run.tasks) * run.trials - len(episodes),
    }


def _rounded(values: Sequence[float], mean: Callable[[Sequence[float]], float]) -> float | None:
    return round(mean(values), 4) if values else None


def _grouped(episodes: Sequence[Episode], key: str) -> dict[str, Any]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(str(getattr(episode, key)), []).append(episode)
    return {name: as_data(estimate) for name, estimate in by([(name, task) for name, group in groups.items() for task in counted(group)]).items()}


def _compared(before: str, after: str, found: Comparison) -> dict[str, Any]:
    return {"before": before, "after": after, "difference": as_data(found.difference), "p": found.p}
