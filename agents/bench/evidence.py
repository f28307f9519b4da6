"""What an episode and its task's reference came to, by carrying both out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from agents.trajectory import Trajectory
from agents.validate import replay
from envs import ToolEnv
from synthtools.arguments import readable
from synthtools.backend import Backend, LocalBackend
from synthtools.domain import Domain
from synthtools.faulty import sound
from synthtools.goal import Alternative, Changes, Ending
from synthtools.judge import judge_task, relevant
from synthtools.promise import broken, listed
from synthtools.rule import broken_rules
from synthtools.task import Task, resolve
from synthtools.tool import Tool, ToolCall, ToolResult
from synthtools.user import RESPOND, replies


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made, with its arguments read and what it came to."""

    number: int
    """From 0, as records and solutions count."""
    name: str
    arguments: Mapping[str, Any]
    """Empty where they were no object."""
    result: ToolResult

    @property
    def failed(self) -> bool:
        """Whether it came to an error."""
        return self.result.error is not None

    @property
    def mistaken(self) -> bool:
        """Whether it came to an error that is no fault of the service."""
        return self.result.mistaken

    @property
    def may_stand(self) -> bool:
        """Whether it was carried out, or may have been, as it got no answer."""
        return self.result.error in (None, "timeout")

    @property
    def key(self) -> str:
        """Its name and arguments, the same however they were written."""
        return f"{self.name}{orjson.dumps(self.arguments, option=orjson.OPT_SORT_KEYS).decode()}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The task's solution, carried out."""

    calls: tuple[Made, ...]
    """`finish` is the last."""
    changes: Changes
    """Without bookkeeping columns."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One episode, carried out again, beside its reference."""

    task: Task
    domain: Domain
    calls: tuple[Made, ...]
    ending: Ending | None
    changes: Changes
    """The net change, without bookkeeping columns."""
    success: bool
    reason: str
    """What the judge holds to be nearest at fault."""
    broken: tuple[str, ...]
    """Policies and rules of the task that were broken, as their machine checks say."""
    twice: tuple[Made, ...]
    """Calls without which, as they repeat earlier ones, the changes would have been right."""
    reference: Reference

    @property
    def deeds(self) -> tuple[Made, ...]:
        """The calls but for the one that ended the episode."""
        return self.calls if self.ending is None else self.calls[:-1]

    @property
    def heard(self) -> list[str]:
        """What was said to the user."""
        return [str(made.arguments["text"]) for made in self.calls if made.name == RESPOND.name and not made.failed]

    @property
    def user_left(self) -> bool:
        """Whether what ended the episode was speaking to a user who had gone."""
        user = self.task.user
        if user is None or not self.calls or self.calls[-1].name != RESPOND.name:
            return False
        before = self.heard if self.calls[-1].failed else self.heard[:-1]
        return any(said.gone for said in replies(user, before))

    def tool(self, made: Made) -> Tool | None:
        """The tool that a call names, where the agent has it."""
        return _offered(self.task, self.domain, made.name)

    def writes(self, calls: Sequence[Made]) -> list[Made]:
        """Those of the calls that name a tool which can change something."""
        return [made for made in calls if (tool := self.tool(made)) is not None and not tool.read_only]

    @property
    def needs(self) -> list[Made]:
        """The reference's calls that changed something; one that got no answer is one of them where it was not made again."""
        writes = [made for made in self.writes(self.reference.calls) if made.may_stand]
        return [made for made in writes if not made.failed or all(other.key != made.key or other is made for other in writes)]

    def expected(self, alternative: Alternative) -> Changes:
        """The changes that an alternative wants; where code decides, those of the reference."""
        return self.reference.changes if alternative.check else relevant(alternative.changes, self.domain)


class Examiner:
    """Carries episodes of a pack's tasks out again."""

    def __init__(self, env: ToolEnv) -> None:
        self._env = env
        self._references: dict[str, Reference] = {}

    def examine(self, trajectory: Trajectory, task: Task) -> Evidence | None:
        """The evidence of an episode; None where its record is not what carrying it out gives."""
        reference = self.reference(task)
        env = self._env
        if not replay(trajectory, task, env).valid:
            return None
        calls, judgement = _made(env.calls), env.judgement
        net = env.backend.changes()
        evidence = Evidence(
            task=task,
            domain=env.domain,
            calls=calls,
            ending=env.ending,
            changes=relevant(net, env.domain),
            success=judgement.success,
            reason=judgement.reason,
            broken=(*_broken(env.backend, env.domain, net, env.calls), *broken_rules(task.rules, task.user, env.calls, env.ending, env.domain)),
            twice=(),
            reference=reference,
        )
        return evidence if judgement.success else self._without_repeats(evidence)

    def reference(self, task: Task) -> Reference:
        """The task's solution, carried out once."""
        found = self._references.get(task.id)
        if found is None:
            env = self._env
            env.reset(options={"task": task})
            for step in task.solution:
                env.step(resolve(step, [orjson.loads(result.content) for _, result in env.calls]))
            found = self._references[task.id] = Reference(_made(env.calls), relevant(env.backend.changes(), env.domain))
        return found

    def _without_repeats(self, evidence: Evidence) -> Evidence:
        """The evidence with `twice`: found by making the same calls again but for those that repeat a change."""
        wanted = Counter(made.key for made in evidence.writes(evidence.reference.calls) if made.may_stand)
        repeats = tuple(_repeats([made for made in evidence.writes(evidence.calls) if made.may_stand], wanted))
        if not repeats or evidence.ending is None:
            return evidence
        env = self._env
        env.reset(options={"task": evidence.task})
        for made in evidence.deeds:
            if made not in repeats:
                env.step(ToolCall(made.name, dict(made.arguments)))
        judged = judge_task(evidence.task, env.calls, env.backend.changes(), evidence.ending, evidence.domain)
        if not judged.success and judged.reason not in ("wrong_answer", "wrong_about"):
            return evidence
        return replace(evidence, twice=repeats)


def _made(calls: Sequence[tuple[ToolCall, ToolResult]]) -> tuple[Made, ...]:
    return tuple(Made(number, call.name, readable(call.arguments), result) for number, (call, result) in enumerate(calls))


def _offered(task: Task, domain: Domain, name: str) -> Tool | None:
    tool = domain.tools.get(name)
    return None if tool is None or tool.key in task.withheld else tool


def _repeats(writes: Sequence[Made], wanted: Counter[str]) -> Iterator[Made]:
    """Calls that were made, the same, more often than the reference makes them, and at least once before."""
    seen: Counter[str] = Counter()
    for made in writes:
        seen[made.key] += 1
        if seen[made.key] > max(1, wanted[made.key]):
            yield made


def _broken(backend: Backend, domain: Domain, changes: Changes, calls: Sequence[tuple[ToolCall, ToolResult]]) -> Iterator[str]:
    """Policies that the world at the episode's end, its net change and its calls break; those of toolkits are words that nothing checks."""
    backend = sound(backend)
    if not isinstance(backend, LocalBackend):
        return
    told = listed(calls, domain)
    for name, policy in domain.policies.items():
        if policy.broken_when and broken(backend.world.connection, domain, name, changes, told):
            yield name
