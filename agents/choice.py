"""Which tasks of a pack are taken, to train in or to be measured on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from synthtools.pack import Pack
from synthtools.seed import derive
from synthtools.task import Task


class ChoiceError(ValueError):
    """A choice that leaves nothing, or names what is not there; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tasks are taken."""

    split: str = "test"
    """`all`: of every split."""
    fields: tuple[str, ...] = ()
    """Names of fields or subdomains; none: all of the split."""
    kinds: tuple[str, ...] = ()
    max_difficulty: int = 0
    """0: any."""
    most: int = 0
    """Drawn by the seed, as many of each domain and kind as there can be; 0: all."""
    seed: int = 0


def choose_tasks(pack: Pack, choice: Choice) -> list[Task]:
    """The tasks, in the pack's order. Raises ChoiceError for a field that the pack has not, and where none is left."""
    known = {task.field for task in pack.tasks} | {task.domain for task in pack.tasks}
    strangers = [name for name in choice.fields if name not in known]
    if strangers:
        raise ChoiceError(f"{strangers[0]}: no such field in the pack; there are {', '.join(sorted(known))}")
    fitting = [task for task in pack.tasks if _fits(task, choice)]
    if not fitting:
        raise ChoiceError(_none(pack, choice))
    if not choice.most or choice.most >= len(fitting):
        return fitting
    drawn = {task.id for task in _dealt(fitting, choice)}
    return [task for task in fitting if task.id in drawn]


def _none(pack: Pack, choice: Choice) -> str:
    """Why no task is left, and what there is instead."""
    found = sorted({task.split for task in pack.tasks} - {choice.split})
    if choice.fields or choice.kinds or choice.max_difficulty:
        return f"the pack has no task of the {choice.split} split that is wanted; take other fields or kinds, or another split"
    mend = f"those that it has are of {' and '.join(found)}; take that, or all (--split {found[0]}, --split all)" if found else "it holds none at all"
    return f"the pack has no task of the {choice.split} split: {mend}"


def _fits(task: Task, choice: Choice) -> bool:
    named = not choice.fields or task.field in choice.fields or task.domain in choice.fields
    easy = not choice.max_difficulty or task.difficulty <= choice.max_difficulty
    return named and easy and choice.split in ("all", task.split) and (not choice.kinds or task.kind in choice.kinds)


def _dealt(tasks: Iterable[Task], choice: Choice) -> list[Task]:
    """Taken in turns from every domain and kind, in drawn order."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in sorted(tasks, key=lambda task: derive(choice.seed, "choice", task.id)):
        groups.setdefault((task.kind, task.domain), []).append(task)
    ranked = [(number, derive(choice.seed, "choice", *name), task) for name, group in groups.items() for number, task in enumerate(group)]
    return [task for _, _, task in sorted(ranked, key=lambda entry: entry[:2])][: choice.most]
