"""The gates: a task is admitted when executing it has shown that it is solvable, needed and fair."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from synthtools.alter import mutants, same_shape, swapped_blocks, without, wrong_answer
from synthtools.answer import is_identifier
from synthtools.backend import Backend, LocalBackend
from synthtools.domain import Domain
from synthtools.fair import Fairness, SampledFairness, SqlFairness
from synthtools.fault import Unavailable
from synthtools.finish import abilities
from synthtools.goal import OUTCOMES, Ending, Judgement
from synthtools.grounding import grounding
from synthtools.judge import MatchTooHard, judge, judge_task, relevant
from synthtools.mirror import MirroredBackend
from synthtools.playback import Episode, play
from synthtools.promise import listed
from synthtools.recovery import Recovery
from synthtools.task import SolutionStep, Task, refs
from synthtools.tasks.describe import Description
from synthtools.user import RESPOND

GATES = (
    "solution_runs",
    "goal_false_at_start",
    "constant_endings_fail",
    "solution_succeeds",
    "every_write_needed",
    "grounded",
    "mutants_fail",
    "free_order",
    "replays_exactly",
    "gives_nothing_away",
    "descriptions_fit_one",
    "twins",
    "policies_kept",
    "no_other_way",
    "asking_needed",
    "recovery_needed",
)
"""In order; `twins` is judged on pairs, `recovery_needed` where things go wrong on purpose."""


class Prover:
    """Proves tasks of one domain on one backend; counts what each gate had to check."""

    def __init__(self, domain: Domain, backend: Backend) -> None:
        self.domain, self.backend = domain, backend
        world = backend.local if isinstance(backend, MirroredBackend) else backend
        self._world: Fairness = SqlFairness(domain, world) if isinstance(world, LocalBackend) else SampledFairness(domain)
        self.checked: dict[str, int] = dict.fromkeys(GATES, 0)
        self._tools = domain.tools
        self._constants = self._constant_endings()
        self._reading = next((t.name for t in self._tools.values() if t.origin.kind == "search"), None)
        self._gates: tuple[tuple[str, Callable[[Task, Episode, Sequence[Description]], bool]], ...] = (
            ("solution_runs", self._runs),
            ("goal_false_at_start", self._false_at_start),
            ("constant_endings_fail", self._constants_fail),
            ("solution_succeeds", self._succeeds),
            ("policies_kept", self._policies),
            ("gives_nothing_away", self._gives_nothing_away),
            ("grounded", self._grounded),
            ("descriptions_fit_one", self._descriptions),
            ("replays_exactly", self._replays),
            ("every_write_needed", self._all_needed),
            ("mutants_fail", self._mutants_fail),
            ("free_order", self._order_free),
            ("no_other_way", self._no_other_way),
            ("asking_needed", self._asking_needed),
        )

    def prove(self, task: Task, described: Sequence[Description] = (), recovery: Recovery | None = None) -> str:
        """The first gate that turns the task away, or nothing."""
        episode = self.play(task, task.solution)
        for name, gate in self._gates:
            try:
                if not gate(task, episode, described):
                    return name
            except MatchTooHard:
                return name
        return "" if self._recovers(task, recovery) else "recovery_needed"

    def play(self, task: Task, steps: Sequence[SolutionStep]) -> Episode:
        """Carry out steps from the task's start; a step that refers to what is not there is skipped."""
        return play(task, steps, self.domain, self.backend)

    def judged(self, task: Task, episode: Episode) -> Judgement:
        """Whether an episode met the task's goal."""
        return judge_task(task, zip(episode.calls, episode.results, strict=False), episode.changes, episode.ending, self.domain)

    def _runs(self, _task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        self.checked["solution_runs"] += 1
        return not episode.failed and episode.ending is not None

    def _false_at_start(self, task: Task, _episode: Episode, _described: Sequence[Description]) -> bool:
        self.checked["goal_false_at_start"] += 1
        return not judge(task.goal, (), Ending(), self.domain).success

    def _constants_fail(self, task: Task, _episode: Episode, _described: Sequence[Description]) -> bool:
        if all(relevant(a.changes, self.domain) for a in task.goal.alternatives):
            return True
        self.checked["constant_endings_fail"] += 1
        echo = [Ending(task.request, outcome, about) for outcome in OUTCOMES for about in ("", *(a.about for a in task.goal.alternatives))]
        return not any(judge(task.goal, (), ending, self.domain).success for ending in [*self._constants, *echo])

    def _constant_endings(self) -> list[Ending]:
        abouts = ["", *self.domain.policies, *abilities(self.domain).values()]
        answers: list[Any] = [None, "", 0, 1, "yes", "no", "unknown", self.domain.today]
        return [Ending(None, outcome, about) for outcome in OUTCOMES for about in abouts] + [Ending(answer) for answer in answers]

    def _succeeds(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        self.checked["solution_succeeds"] += 1
        return self.judged(task, episode).success

    def _writes(self, task: Task) -> list[int]:
        return [i for i, s in enumerate(task.solution) if s.name in self._tools and not self._tools[s.name].read_only]

    def _effective(self, task: Task, episode: Episode) -> list[int]:
        """The writes that were carried out, or may have been."""
        return [i for i in self._writes(task) if i < len(episode.results) and episode.results[i].error in (None, "timeout")]

    def _all_needed(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """Without any one write the goal is not met."""
        self.checked["every_write_needed"] += len(self._effective(task, episode))
        return self.needless(task, episode) is None

    def needless(self, task: Task, episode: Episode) -> int | None:
        """The number of the first write of the solution that the goal is met without."""
        writes = self._effective(task, episode)
        return next((index for index in writes if self.judged(task, self.play(task, without(task.solution, index))).success), None)

    def _grounded(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """Every literal of the solution is said in the request or by the user before, or stated by a workflow's words, or turns a page."""
        for is_said in grounding(task, episode.results, self._tools):
            self.checked["grounded"] += 1
            if not is_said:
                return False
        return True

    def _asking_needed(self, task: Task, _episode: Episode, _described: Sequence[Description]) -> bool:
        """Without any one thing said to the user the solution lacks a value, or breaks a rule."""
        for index in [i for i, step in enumerate(task.solution) if step.name == RESPOND.name]:
            self.checked["asking_needed"] += 1
            played = self.play(task, steps := without(task.solution, index))
            if self.judged(task, played).success and self._grounded(replace(task, solution=steps), played, ()):
                return False
        return True

    def _gives_nothing_away(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """No id that the solution looks up stands in the request."""
        request = set(re.findall(r"[\w#/-]+", task.request))
        for step in task.solution[:-1]:
            for value in step.arguments.values():
                for ref in refs(value):
                    self.checked["gives_nothing_away"] += 1
                    found = orjson.loads(episode.results[ref.step].content)
                    for part in ref.path:
                        found = found[part]
                    if isinstance(found, str) and found in request and is_identifier(found.upper(), self.domain):
                        return False
        named = {name for t in self._tools.values() for name in (t.name, t.key) if "_" in name}
        return not (named & request)

    def _descriptions(self, task: Task, _episode: Episode, described: Sequence[Description]) -> bool:
        """Each description fits exactly one row of the task's own start."""
        if described:
            self.backend.reset(task.start)
        for row in described:
            self.checked["descriptions_fit_one"] += 1
            if not self._world.fits_one(row):
                return False
        return True

    def _policies(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """The solution breaks no policy; the backend still stands at its end."""
        if not (self._writes(task) or episode.changes) or not any(policy.broken_when for policy in self.domain.policies.values()):
            return True
        self.checked["policies_kept"] += 1
        calls = listed(zip(episode.calls, episode.results, strict=True), self.domain)
        return not self._world.broken_policy(episode.changes, calls)

    def _replays(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """Played again, with one more read before its end, every result and the net change are the same bytes."""
        self.checked["replays_exactly"] += 1
        reading = self._reading
        steps = task.solution if reading is None else (*task.solution[:-1], SolutionStep(reading, {}), task.solution[-1])
        again = self.play(task, steps)
        same = again.results[: len(episode.results)] == episode.results
        return same and again.changes == episode.changes and again.ending == episode.ending

    def _mutants_fail(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """Wrong objects, amounts and choices, a write twice: none succeeds, unless it came to the very same rows."""
        if any(alternative.check for alternative in task.goal.alternatives):
            return self._wrong_answers_fail(task, episode)  # other changes of which the check is true are right
        right = relevant(episode.changes, self.domain)
        for steps in mutants(task, self.domain, self._world.ids, self._effective(task, episode)):
            self.checked["mutants_fail"] += 1
            played = self.play(task, steps)
            if relevant(played.changes, self.domain) != right and self.judged(task, played).success:
                return False
        return self._wrong_answers_fail(task, episode)

    def _wrong_answers_fail(self, task: Task, episode: Episode) -> bool:
        for alternative in task.goal.alternatives[:1]:
            if alternative.answer is None or episode.ending is None:
                continue
            wrong = wrong_answer(alternative.answer)
            self.checked["mutants_fail"] += 1
            ending = Ending(wrong, episode.ending.outcome, episode.ending.about)
            if judge(task.goal, episode.changes, ending, self.domain).success:
                return False
        return True

    def _order_free(self, task: Task, _episode: Episode, _described: Sequence[Description]) -> bool:
        """Jobs asked for together may be done in another order."""
        if task.kind != "several":
            return True
        for swapped in swapped_blocks(task.solution, self._writes(task)):
            self.checked["free_order"] += 1
            if not self.judged(task, self.play(task, swapped)).success:
                return False
        return True

    def _no_other_way(self, task: Task, episode: Episode, _described: Sequence[Description]) -> bool:
        """A task whose tool is missing cannot be done by another tool that writes the same columns."""
        down = [fault.tool for fault in task.faults if isinstance(fault, Unavailable) and fault.times == 0]
        gone = (*task.withheld, *down)
        if not gone:
            return True
        missing = next(t for t in self._tools.values() if t.key in gone)
        twins = [t for t in self._tools.values() if t.key not in gone and missing.writes <= t.writes and t.origin.kind != "create"]
        self.checked["no_other_way"] += 1
        return not any(same_shape(missing, t) for t in twins)

    def _recovers(self, task: Task, recovery: Recovery | None) -> bool:
        """Without the faults the job can be done, unless they are for good, and with them one who does not recover fails."""
        if recovery is None:
            return True
        calm = replace(task, faults=())
        possible = task.goal.alternatives[0].outcome == "done"
        if possible and not self.judged(task, self.play(calm, recovery.plain)).success:
            return False
        for steps in recovery.naive:
            self.checked["recovery_needed"] += 1
            if self.judged(task, self.play(task, steps)).success:
                return False
        return True
