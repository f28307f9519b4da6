"""Reaching what random calls do not: more worlds, calls that lead up to it, and worlds made for it."""

from __future__ import annotations

from synthtools.audit.survey import Survey
from synthtools.backend import Snapshot
from synthtools.domain import Domain
from synthtools.tool import Tool

_LEAST = 120
"""A tool that has not succeeded is called at least so often…"""
_WORLDS = 12
"""… on so many worlds."""
_NUDGES = 6
_TURNS = 4
_AGAIN = 20
"""Calls of one tool in succession, at most."""


def reach_the_rest(survey: Survey) -> None:
    """Further calls of tools that have not succeeded, or of which a documented error has not been reached."""
    for tool in survey.tools:
        for index in range(max(survey.effort.search, _LEAST)):
            if not missing(survey, tool) or (index >= survey.effort.search and tool.name in survey.succeeded):
                break
            start = survey.start(-1 - index // 4 % max(survey.effort.dense, _WORLDS), (0, 0, 1)[index % 3])
            if index % 4 == 3 and (survey.effort.pretty or tool.name not in survey.succeeded):
                _at_large(survey, tool)
            elif index % 4 and tool.name in survey.succeeded:
                _nudged(survey, tool, start, sensible=index % 4 == 1)
            else:
                _led_up_to(survey, tool, start, index // 4)


def _at_large(survey: Survey, tool: Tool) -> None:
    """A few calls in a world of the usual size."""
    for turn in range(_TURNS):
        survey.begin(survey.start(0))
        survey.call(tool, sensible=turn == 0)


def _led_up_to(survey: Survey, tool: Tool, start: Snapshot, turn: int) -> None:
    """A call after others that write what it reads, and the same call again; now and then many more, for what allows so many and no more."""
    survey.begin(start)
    writers = _feeders(survey.domain, tool, missing(survey, tool))
    for _ in range((0, 2, 5)[turn % 3]):
        survey.call(survey.sampler.rng.choice(writers), sensible=True)
    seen = survey.call(tool, sensible=tool.name not in survey.succeeded or turn % 2 == 0)
    if seen is not None and seen.changes:
        survey.judged(tool, seen.arguments)
    for _ in range(_AGAIN if turn % 4 == 3 else 0):
        if not missing(survey, tool):
            break
        survey.call(tool, sensible=True)


def _nudged(survey: Survey, tool: Tool, start: Snapshot, *, sensible: bool) -> None:
    """A call in a world made for it; only the error that it reaches is noted, since no history led to that world."""
    survey.backend.reset(start)
    arguments = survey.sampler.sample(tool, sensible=sensible)
    for _ in range(_NUDGES):
        if arguments is None or not survey.perturber.nudge(start, tool, arguments, missing(survey, tool)):
            continue
        survey.calls += 1
        result = survey.rules.probe.observe(tool, arguments, "").result
        if result is not None and result.error is not None:
            survey.reached.add((tool.name, result.reason or result.error))


def _feeders(domain: Domain, tool: Tool, errors: list[str]) -> list[Tool]:
    """The tools that write what a tool reads, or what the invariants behind these errors read."""
    needed = set(tool.reads).union(*(i.reads for i in domain.invariants if i.error in errors))
    tables = {f"+{read.partition('.')[0]}" for read in needed}
    found = [other for other in domain.tools.values() if other.writes & (needed | tables)]
    return found or [other for other in domain.tools.values() if other.writes] or [tool]


def missing(survey: Survey, tool: Tool) -> list[str]:
    """What of a tool has not been seen: its success, and documented errors."""
    unseen = [error for error in tool.errors if (tool.name, error) not in survey.reached]
    return unseen if tool.name in survey.succeeded else ["success", *unseen]
