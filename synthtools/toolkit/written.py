"""Tasks as people write them: the format of a file of tasks, and what a mistake in one is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from synthtools.blueprint import Part, Words
from synthtools.source import BlueprintError, Place, Source

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)]


class Call(Part):
    """One call of a solution; an argument is a value, `{from: 0, at: [orders, 0, id]}`, `{sql: ":a + 1", uses: {a: …}}`, or a list of these."""

    call: str
    with_: dict[str, Any] = Field(default={}, alias="with")


class AnswerSpec(Part):
    """What a request asks to be told: a value, or where it stands in an earlier result. Money is in cents."""

    type: Literal["number", "money", "date", "id", "ids", "word"]
    value: Any = None
    from_: Any = Field(default=None, alias="from")

    @model_validator(mode="after")
    def one_source(self) -> AnswerSpec:
        """A value, or where it comes from."""
        if (self.value is None) == (self.from_ is None):
            raise ValueError("give either `value:` or `from:`")
        return self


class TaskSpec(Part):
    """One task as written."""

    id: Key
    request: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    world: Annotated[int, Field(ge=0, le=999)] = 0
    withheld: list[str] = []
    """Tools that this task's agent is not given."""
    solution: list[Call]
    """`finish` is added."""
    answer: AnswerSpec | None = None
    outcome: Literal["done", "impossible", "not_allowed"] = "done"
    about: Words = ""
    """What stands in the way, where the outcome is not `done`: a policy, an ability, an id."""
    said: dict[str, str] = {}
    """A value of the solution → how the request says it, where it does not say the value itself; `*`: its words imply it."""
    twin: Key | None = None
    """The task with the same request whose right end is the opposite."""
    check: str = ""
    """`checks.py:function`: what decides over the net changes, where more than one end is right; not given, they must be the solution's."""


class TaskFile(Part):
    """A file of tasks."""

    tasks: list[TaskSpec]


def read_tasks(source: Source) -> list[TaskSpec]:
    """The tasks as written. Raises BlueprintError at the line of the first mistake."""
    data = source.data()
    if not isinstance(data, dict):
        raise BlueprintError(source.file, 1, "", "a file of tasks is a mapping that starts with `tasks:`")
    try:
        specs = TaskFile.model_validate(data).tasks
    except ValidationError as error:
        detail = min(error.errors(), key=lambda d: (d["type"] != "extra_forbidden", -len(d["loc"])))
        place: Place = detail["loc"]
        what = {"extra_forbidden": f"unknown key; known keys: {', '.join(_known(place))}", "missing": "is missing; add it"}
        raise source.error(place, what.get(detail["type"], detail["msg"].removeprefix("Value error, "))) from None
    by_id = {spec.id: spec for spec in specs}
    for number, spec in enumerate(specs):
        if by_id[spec.id] is not spec:
            raise source.error(("tasks", number, "id"), f"the id {spec.id!r} stands twice")
        twin = by_id.get(spec.twin or "")
        if spec.twin and (twin is None or twin.twin != spec.id or twin.request != spec.request):
            raise source.error(("tasks", number, "twin"), f"{spec.twin!r} must be a task with the same request and `twin: {spec.id}`")
        if spec.outcome != "done" and not spec.twin:
            raise source.error(("tasks", number, "outcome"), f"{spec.outcome} needs `twin:`, a task with this request in which it can be done")
    return specs


def _known(place: Place) -> list[str]:
    model: type[Part] = TaskFile if len(place) == 1 else AnswerSpec if "answer" in place else Call if "solution" in place else TaskSpec
    return [field.alias or name for name, field in model.model_fields.items()]
