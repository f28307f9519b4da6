"""What a person or a model writes about one subdomain.

A blueprint is YAML. Every string in it is words for people, SQL (in which a reference may be
followed by a dot), or one of the short closed list of patterns below; everything else is
structure, and an unknown key is an error that names the file, the line and the mend.
"""

from __future__ import annotations

from datetime import date, time
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""An identifier: lower case, digits and underscores."""
Integer = int
Truth = bool
Words = Annotated[str, StringConstraints(min_length=1, max_length=400)]
"""Words for people."""
Sql = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
"""SQL; `:name` is an argument or a given value, `:name.column` a column of a `let` row."""
_listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Numbers = Annotated[tuple[int, int], _listed]
"""A range, both ends included."""
Bounds = Annotated[tuple[int | Sql, int | Sql], _listed]
"""A range whose ends may be SQL."""
Moment = Annotated[str, StringConstraints(pattern=r"^([+-]\d+d|\d{4}-\d{2}-\d{2})$")]
"""A day: `2026-06-12`, or days before or after today: `-60d`, `+400d`."""
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(lambda text: date.fromisoformat(text).isoformat())]
Hour = Annotated[str, StringConstraints(pattern=r"^\d{2}:\d{2}$"), AfterValidator(lambda text: time.fromisoformat(text).isoformat("minutes"))]
Moments = Annotated[tuple[Moment, Moment], _listed]
Days = Annotated[tuple[Moment | Sql, Moment | Sql], _listed]
Codes = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]*?\d+\.\.[A-Za-z0-9-]*?\d+$|^[A-Za-z0-9-]+$")]
"""One code (`A1`) or a run of codes (`A1..A30`)."""
Path_ = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
"""A path: a given value, a step's result, or a column reached from one (`stay.boat.length_cm`)."""


class Part(BaseModel):
    """Common strictness of every part of a blueprint: unknown keys are errors, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Id(Part):
    """How an entity's identifiers look: a prefix and digits, or codes that people paint on things."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9#/_-]*$", max_length=12)] | None = None
    digits: Annotated[int, Field(ge=1, le=9)] | None = None
    codes: list[Codes] | None = None

    @model_validator(mode="after")
    def one_way(self) -> Id:
        """Either codes, or prefix and digits."""
        if (self.codes is None) == (self.digits is None):
            raise ValueError("give either `codes: [A1..A30, …]` or `prefix:` with `digits:`")
        return self


class After(Part):
    """A moment some days or minutes after another field of the same row, or after a reference's field."""

    after: Sql
    days: Numbers | None = None
    minutes: Numbers | None = None


FIELD_KINDS = "ref person email phone company city address bool choice int money date datetime pool text stamp sum_of".split()
"""The closed list of field kinds; a field names exactly one."""


class FieldSpec(Part):
    """One attribute. Exactly one kind key; the other keys say how its values are spread."""

    ref: Name | None = None
    """Refers to a row of this entity."""
    person: Literal[True] | None = None
    email: Literal[True] | None = None
    phone: Literal[True] | None = None
    company: Literal[True] | None = None
    city: Literal[True] | None = None
    address: Literal[True] | None = None
    bool: Annotated[float, Field(ge=0, le=1)] | None = None
    """True or false; the number is the share of true at the start."""
    choice: list[str] | list[Integer] | dict[str, float] | None = None
    """One of these; a mapping gives each one's weight."""
    int: Numbers | Sql | None = None
    """A whole number in this range, or SQL over the row and its references."""
    money: Numbers | Sql | None = None
    """Integer cents in this range, or SQL over the row and its references."""
    date: Moments | After | Sql | None = None
    datetime: Moments | After | Sql | None = None
    pool: Name | list[str] | None = None
    """A short name drawn from a pool."""
    text: Name | list[str] | None = None
    """A sentence or note drawn from a pool; people search it by words."""
    stamp: Name | None = None
    """The date-time at which the row entered this state; null before."""
    sum_of: Name | None = None
    """The sum of `each` over the rows of this entity that refer here; kept true by every tool."""

    each: Sql | None = None
    optional: Annotated[float, Field(ge=0, le=1)] | None = None
    """May be null; the number is the share of nulls at the start."""
    only_in: list[Name] | None = None
    """Null unless the row's state is one of these."""
    around: Annotated[float, Field()] | None = None
    """Most values lie near this one."""
    mostly: Any | None = None
    """Half of all rows hold this value."""
    step: Annotated[Integer, Field(ge=1)] | None = None
    """Values are multiples of this (minutes for a datetime)."""
    repeats: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of rows that repeat another row's value."""
    unique: Literal[True] | None = None
    """No two rows share a value (checked by the database)."""
    skew: Annotated[float, Field(ge=0, le=3)] | None = None
    """How unevenly references fall: 0 even, 1 as in life."""
    where: Sql | None = None
    """At the start, refers only to rows for which this holds (bare names: the referred row; `:field`: this row)."""
    fixed: Literal[True] | None = None
    """No compiled tool changes it after creation."""
    default: Any | None = None
    """What a compiled create writes instead of asking for the value."""
    incidental: Literal[True] | None = None
    """Bookkeeping: goals ignore it."""
    about: Words | None = None
    """What the field means, with its unit: becomes the parameter's description."""

    @model_validator(mode="after")
    def one_kind(self) -> FieldSpec:
        """Exactly one kind key is given, and modifiers go with it."""
        kinds = [kind for kind in FIELD_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"name exactly one kind of field, of: {', '.join(FIELD_KINDS)}")
        if (self.sum_of is None) != (self.each is None):
            raise ValueError("`sum_of: child` and `each: SQL over the child's row` go together")
        return self

    @cached_property
    def kind(self) -> str:
        """The one kind key that is given."""
        return next(kind for kind in FIELD_KINDS if getattr(self, kind) is not None)

    @property
    def nullable(self) -> Truth:
        """Whether the column may hold null."""
        return self.optional is not None or self.only_in is not None or self.kind == "stamp"

    @property
    def computed(self) -> Truth:
        """Whether the value follows from other values, so no one is asked for it."""
        return self.kind in ("sum_of", "stamp") or (self.kind in ("int", "money") and isinstance(self.int or self.money, str))

    @model_validator(mode="before")
    @classmethod
    def shorthand(cls, value: Any) -> Any:
        """`person` is `{person: true}`; `[a, b]` is `{choice: [a, b]}`."""
        if isinstance(value, str):
            if value == "bool":
                return {"bool": 0.5}
            if value in ("date", "datetime"):
                return {value: ("-365d", "+0d")}
            return {value: True}
        if isinstance(value, list):
            return {"choice": value}
        return value


class Keep(Part):
    """An invariant of an entity's rows: true at the start and after every call of every tool.

    `sql`: over one row and its references; null counts as kept. `no_overlap: [start, end]`: half-open
    intervals of rows with the same `per`. `rises: field`: never falls within `per`, ordered by `by` then
    id. `only_one: [fields]`: no two rows agree on all of them. `at_most`: so many rows share `per`.
    `while`: only rows in these states count.
    """

    sql: Sql | None = None
    no_overlap: Annotated[tuple[Name, Name], _listed] | None = None
    rises: Name | None = None
    by: Name | None = None
    only_one: list[Name] | None = None
    at_most: int | Path_ | None = None
    per: Name | list[Name] | None = None
    while_: list[Name] | None = Field(default=None, alias="while")
    error: Name
    message: Words | None = None

    @model_validator(mode="after")
    def one_form(self) -> Keep:
        """Exactly one form of invariant."""
        forms = [form for form in ("sql", "no_overlap", "rises", "only_one", "at_most") if getattr(self, form) is not None]
        if len(forms) != 1:
            raise ValueError("give exactly one of sql, no_overlap, rises, only_one, at_most")
        if forms[0] in ("no_overlap", "rises", "at_most") and self.per is None:
            raise ValueError(f"`{forms[0]}` needs `per:`, the field whose rows are compared")
        if forms[0] == "rises" and self.by is None:
            raise ValueError("`rises` needs `by:`, the field that orders the rows")
        return self


class Start(Part):
    """How many rows begin in a state, and when a row may."""

    share: Annotated[float, Field(ge=0)]
    when: Sql | None = None

    @model_validator(mode="before")
    @classmethod
    def number(cls, value: Any) -> Any:
        """`0.5` is `{share: 0.5}`."""
        return {"share": float(value)} if isinstance(value, int | float) else value


class Entity(Part):
    """A kind of thing: a table, its lifecycle, its invariants, and the words people use for it."""

    id: Id
    rows: Annotated[int, Field(ge=1, le=10000)]
    """Rows in a world of the default size."""
    fields: dict[Name, FieldSpec]
    called: list[Words] = []
    """What people call one: `[berth holder, skipper]`."""
    plural: Name | None = None
    lifecycle: dict[Name, list[Name]] = {}
    """state → the states it may go to; the first is where a new row begins."""
    starts: dict[Name, Start] = {}
    verbs: dict[Name, Name] = {}
    """state entered → name of the compiled tool that does only that."""
    keeps: dict[Name, Keep] = {}
    offers: list[Literal["search", "get", "create", "update", "count"]] = ["search", "get"]
    """Everyday tools to compile."""
    described_by: list[Words] = []
    """Ways to describe one among many: `"{boat.name}'s stay from {arrives}"`."""
    says: dict[Name, list[Words]] = {}
    """tool name → ways to ask for it; `{it}` is the described row, `{field}` a value."""
    questions: dict[Name, list[Words]] = {}
    """field → ways to ask for its value of `{it}`."""
    cannot_break: dict[Name, list[Name]] = {}
    """compiled tool → invariant errors that it cannot cause (the audit holds it to that)."""

    @model_validator(mode="after")
    def known_states(self) -> Entity:
        """States named anywhere are states of the lifecycle."""
        for state, following in self.lifecycle.items():
            for other in following:
                if other not in self.lifecycle and not any(other in later for later in self.lifecycle.values()):
                    raise ValueError(f"state {other!r} (after {state!r}) is unknown")
        named = [*self.starts, *self.verbs, *(s for k in self.keeps.values() for s in k.while_ or [])]
        named += [s for f in self.fields.values() for s in ([f.stamp] if f.stamp else []) + list(f.only_in or [])]
        for state in named:
            if state not in self.states:
                raise ValueError(f"state {state!r} is not in the lifecycle; it has {', '.join(self.states) or 'none'}")
        return self

    @property
    def states(self) -> list[str]:
        """All states, in the order they are first named."""
        return list(dict.fromkeys([*self.lifecycle, *(s for later in self.lifecycle.values() for s in later)]))


class Parameter(Part):
    """One argument of a tool: JSON Schema keys, or `refers_to` an entity, or `like` a field."""

    refers_to: Name | None = None
    like: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")] | None = None
    """`entity.field`: the same type, format, choices and unit."""
    type: Literal["string", "integer", "boolean", "array", "object"] | None = None
    money: Literal[True] | None = None
    """An amount of money; integer cents inside SQL."""
    format: Literal["date", "date-time", "time"] | None = None
    enum: list[str] | None = None
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    items: Parameter | None = None
    min_items: int | None = None
    max_items: int | None = None
    properties: dict[Name, Parameter] | None = None
    description: Words | None = None
    optional: Literal[True] | None = None

    @model_validator(mode="after")
    def one_type(self) -> Parameter:
        """A type is given or follows."""
        if self.type is None and not (self.refers_to or self.like or self.money or self.format or self.enum):
            raise ValueError("give `type:`, `format:`, `enum:`, `money: true`, `refers_to: entity` or `like: entity.field`")
        if self.type == "array" and self.items is None:
            raise ValueError("an array needs `items:`")
        if self.type == "object" and self.properties is None:
            raise ValueError("an object needs `properties:`")
        return self


class Guard(Part):
    """A condition that must hold before anything changes; if not, the call ends with its error."""

    require: Sql
    error: Name
    message: Words
    because: Words | None = None
    """A rule of the trade that no invariant, lifecycle, reference or policy states."""


class Given(Part):
    """How to draw one value for a tool or a workflow: a row of an entity, SQL, or a spread."""

    entity: Name | None = None
    where: Sql | None = None
    """Which rows qualify (bare names: the row, dotted: its references, `:name`: earlier given values)."""
    sql: Sql | None = None
    """One column; a row is drawn."""
    int: Bounds | None = None
    money: Bounds | None = None
    step: Integer | None = None
    date: Days | None = None
    choice: list[str] | None = None
    pool: Name | list[str] | None = None
    text: Name | list[str] | None = None
    many: Numbers | None = None
    """Draw a list of so many different ones."""
    shown: Words | None = None
    """How the request names this row, instead of the entity's own descriptions; `{field}` of the row."""
    skip: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of draws in which an optional argument is left out."""

    @model_validator(mode="after")
    def one_source(self) -> Given:
        """Exactly one source of values."""
        sources = [s for s in ("entity", "sql", "int", "money", "date", "choice", "pool", "text") if getattr(self, s) is not None]
        if len(sources) != 1:
            raise ValueError("give exactly one of entity, sql, int, money, date, choice, pool, text")
        return self


class Answer(Part):
    """What a question wants: a path into the last result, and its type."""

    path: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+|\[\])*$")]
    """Where in the result: `price`, `quote.total`, `rows[].id` (a list). For a workflow it starts with the step's name."""
    type: Literal["number", "money", "date", "id", "ids", "word"]


class HandTool(Part):
    """A tool written by hand: a guarded SQL transaction."""

    description: Words
    parameters: dict[Name, Parameter] = {}
    let: dict[Name, Sql] = {}
    """Named one-row queries, usable below as `:name.column`."""
    guards: list[Guard] = []
    for_each: dict[Name, Sql] = {}
    """One entry, name → ordered query: the effects run once for each row, as `:name.column`; at most 5,000 rows."""
    effects: list[Sql] = []
    returns: Sql | dict[Name, Sql]
    """A query: with a top-level ORDER BY a list of objects, else one object. A mapping nests several."""
    ensures: list[Sql] = []
    """The promise: SQL truths over arguments, `result`, and `added_x`, `changed_x`, `removed_x` rows."""
    money: list[Name] = []
    """Result columns that are computed amounts of money."""
    cannot_break: list[Name] = []
    """Invariant errors that this tool's own guards make impossible (the audit holds it to that)."""
    given: dict[Name, Given] = {}
    """How to draw arguments of a sensible call."""
    asked_as: list[Words] = []
    """Ways people ask for it; `{parameter}` is the value, or the description of what it refers to."""
    answer: Answer | None = None
    """For a tool that answers a question."""


class Step(Part):
    """One call of a workflow."""

    call: Name
    with_: dict[Name, Any] = Field(default={}, alias="with")
    """argument → a path (`stay.boat.length_cm`, `free.id`), a number, `{value: text}` or `{sql: …}` over `:given` values."""
    as_: Name | None = Field(default=None, alias="as")
    pick: dict[Literal["lowest", "highest", "first", "only"], Path_ | Literal[True]] | None = None
    """Which row of a listed result later steps mean; ties are all accepted. `first: true` takes the list's own order."""


class Workflow(Part):
    """A job people do here: how it is asked for, and the calls that do it (look-ups are added by themselves)."""

    asked_as: list[Words]
    given: dict[Name, Given] = {}
    steps: list[Step]
    answer: Answer | None = None


class PolicySpec(Part):
    """Rules text, the machine check, and how a task tempts an agent to break it."""

    text: Words
    broken_when: Sql
    """A query that returns a row iff the calls broke it: over `added_x`, `changed_x`, `removed_x`, the final tables and `calls`."""
    tempts: Name
    """The tool whose call can break it."""
    given: dict[Name, Given] = {}
    forbid: list[Sql] = []
    """Set-up, over the tempting call's `:arguments`, after which the call breaks the policy."""
    allow: list[Sql] = []
    """Set-up after which the same call keeps it."""
    asked_as: list[Words] = []


class Blueprint(Part):
    """A subdomain as written: entities, tools, workflows, policies and words."""

    field: Words
    subdomain: Name
    about: Words
    today: Day
    opens: Hour = "09:00"
    currency: Words = "EUR"
    words: dict[str, list[Words]] = {}
    """choice value or state → how people say it."""
    pools: dict[Name, list[str]] = {}
    entities: dict[Name, Entity]
    tools: dict[Name, HandTool] = {}
    workflows: dict[Name, Workflow] = {}
    policies: dict[Name, PolicySpec] = {}


def blueprint_schema() -> dict[str, Any]:
    """The JSON Schema of blueprints: editors complete and check YAML with it, models can be constrained by it."""
    schema = Blueprint.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    field = schema["$defs"]["FieldSpec"]
    shorthands = "person email phone company city address bool date datetime".split()
    schema["$defs"]["FieldSpec"] = {
        "anyOf": [{"enum": shorthands}, {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}, field]
    }
    schema["$defs"]["Start"] = {"anyOf": [{"type": "number", "minimum": 0}, schema["$defs"]["Start"]]}
    return schema
