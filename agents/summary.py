"""What came of a run, in numbers: how often each agent succeeded, at which kinds, and what was at fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.agent import SCRIPTED
from agents.stored import Stored

Counts = tuple[int, int]
"""(successes, episodes)."""


@dataclass(frozen=True, slots=True)
class Results:
    """The figures of a run."""

    trajectories: int
    valid: int
    successful: int
    """Valid and successful."""
    exportable: int
    """Valid, successful and of the train split."""
    agents: Mapping[str, Counts]
    kinds: Mapping[str, Mapping[str, Counts]]
    """Agent → kind → counts."""
    reasons: Mapping[str, Mapping[str, int]]
    """Agent → what was nearest at fault → episodes."""
    verdicts: Mapping[str, int]
    """Why trajectories are not valid → how many."""
    failures: int

    def rates(self) -> dict[str, float]:
        """Agent → share of its episodes that succeeded."""
        return {agent: round(won / episodes, 6) for agent, (won, episodes) in self.agents.items()}


_TOTALS = """
SELECT COUNT(*), COALESCE(SUM(valid), 0), COALESCE(SUM(valid AND success), 0), COALESCE(SUM(valid AND success AND split = 'train'), 0)
FROM trajectory
"""


def results(run: Stored) -> Results:
    """Count over the run's database."""
    names = names_of(run.agents)
    agents: dict[str, Counts] = {}
    kinds: dict[str, dict[str, Counts]] = {}
    for identity, kind, won, episodes in run.table(
        "SELECT agent, kind, SUM(success), COUNT(*) FROM trajectory GROUP BY agent, kind ORDER BY agent, kind"
    ):
        name = names[identity]
        before = agents.get(name, (0, 0))
        agents[name] = (before[0] + won, before[1] + episodes)
        kinds.setdefault(name, {})[kind] = (won, episodes)
    reasons: dict[str, dict[str, int]] = {}
    for identity, reason, count in run.table(
        "SELECT agent, reason, COUNT(*) FROM trajectory WHERE NOT success GROUP BY agent, reason ORDER BY 1, 3 DESC, 2"
    ):
        reasons.setdefault(names[identity], {})[reason] = count
    ((trajectories, valid, successful, exportable),) = run.table(_TOTALS)
    verdicts = dict(run.table("SELECT verdict, COUNT(*) FROM trajectory WHERE NOT valid GROUP BY verdict ORDER BY verdict"))
    order = sorted(agents, key=_rank)
    return Results(
        trajectories=trajectories,
        valid=valid,
        successful=successful,
        exportable=exportable,
        agents={name: agents[name] for name in order},
        kinds={name: kinds[name] for name in order},
        reasons={name: reasons[name] for name in order if name in reasons},
        verdicts=verdicts,
        failures=len(run.failures()),
    )


def names_of(agents: Mapping[str, str]) -> dict[str, str]:
    """Identity → the agent's name, or its identity where two agents share a name."""
    names = list(agents.values())
    return {identity: name if names.count(name) == 1 else identity for identity, name in agents.items()}


def _rank(name: str) -> tuple[int, str]:
    return (SCRIPTED.index(name) if name in SCRIPTED else len(SCRIPTED), name)
