"""Recipes: everything that decides what a student becomes, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.choice import Choice
from agents.lesson import PROMPT, Shape
from agents.settings import FileFault, read_as, read_yaml
from agents.students.environment import RewardName
from agents.students.showing import Showing
from envs.env import MAX_STEPS
from synthtools.task import KINDS

Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""As large as NumPy takes it."""
Share = Annotated[float, Field(ge=0, le=1)]


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message is one line for people."""


class Lessons(BaseModel):
    """How conversations are cut to size and dressed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: Annotated[int, Field(ge=0)] = 6
    """Shown in a lesson at most, besides `finish`; 0: all."""
    distractors: bool = True
    masked: Share = 0.2
    """Share of lessons whose names are made up."""
    brief: bool = True
    prompt: str = PROMPT
    lookups: bool = True
    max_tokens: Annotated[int, Field(ge=32)] = 896
    whole: bool = False
    """Whether conversations that do not fit are left out instead of losing their last turns."""
    requests: Positive = 1
    """Conversations of one subdomain that follow one another in a lesson, at most; they share the words before them and the tools."""

    def shape(self) -> Shape:
        """The same for `make_lesson`."""
        settings = self.model_dump()
        return Shape(spare=settings.pop("distractors"), **settings)


class Lora(BaseModel):
    """Low-rank adapters instead of all weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Positive = 16
    alpha: Positive = 32
    dropout: Share = 0.0


class Sft(BaseModel):
    """Supervised fine-tuning on exported conversations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "smollm2"
    """`smollm2` (see `synthtools student fetch`), a folder, or a hub name."""
    template: str = "auto"
    """`auto`, `own`, `student`, or a Jinja file."""
    trajectories: Annotated[int, Field(ge=0)] = 0
    """How many are drawn; 0: all."""
    no_change: bool = True
    """Whether tasks are taken whose right end is to change nothing: `impossible` and `not_allowed`."""
    kinds: dict[Literal[KINDS], Rate] = {}  # type: ignore[valid-type]  # the kinds that there are
    """Kinds of tasks that are taken, and how readily one of them is drawn beside one of another; none: all alike."""
    lessons: Lessons = Lessons()
    lora: Lora | None = None
    frozen: Annotated[int, Field(ge=0)] = 0
    """Layers that stay as they are, counted from the input, the embeddings with them; 0: none."""
    epochs: Rate = 1.0
    learning_rate: Rate = 4e-4
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    batch: Positive = 4
    accumulate: Positive = 1
    """Batches of one step."""
    precision: Literal["auto", "bf16", "mixed", "fp32"] = "auto"
    """`bf16`: weights in bf16, with an fp32 copy for the optimiser; `mixed`: weights in fp32, products in bf16.

    `auto`: mixed; on a CPU bf16, or fp32 where that is faster.
    """
    checkpointing: bool = False
    """Whether activations are computed again instead of kept."""
    save_every: Positive = 25
    """Steps between checkpoints."""
    seed: Seed = 0

    def identity(self) -> dict[str, Any]:
        """What makes two trainings the same: all but where the model lies and how often it is saved."""
        return self.model_dump(exclude={"model", "save_every"})


class Grpo(BaseModel):
    """Group relative policy optimisation (Shao et al., arXiv 2402.03300) by TRL, rewarded by what calls came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    """`smollm2`, a folder, or a hub name."""
    pack: str = ""
    template: str = "auto"
    """`auto`, `own`, `student`, or a Jinja file: how the model is spoken to."""

    split: Literal["train", "validation", "test"] = "train"
    fields: list[str] = []
    """Fields or subdomains; none: all of the split."""
    kinds: list[Literal[KINDS]] = []  # type: ignore[valid-type]  # the kinds that there are
    max_difficulty: Natural = 0
    """0: any."""
    tasks: Natural = 0
    """At most so many, drawn evenly from domains and kinds; 0: all."""

    tools: Natural = 6
    """Shown at most besides `finish` and any more that are needed; 0: all."""
    brief: bool = True
    """Whether schemas are cut to what calls cannot do without."""
    briefing: bool = True
    """Whether the day and the policies are said."""
    prompt: str = PROMPT

    reward: RewardName = "success"
    steps: Positive = 200
    generations: Annotated[int, Field(ge=2)] = 8
    """Rollouts of a task, which are compared with one another."""
    batch: Positive = 16
    """Rollouts a step, a multiple of `generations`."""
    micro_batch: Natural = 0
    """Of these at once in the loss; 0: all."""
    max_tokens: Positive = 512
    """Of a rollout, results included."""
    turns: Positive = 8
    """Turns with calls."""
    max_calls: Annotated[int, Field(ge=2)] = MAX_STEPS
    learning_rate: Rate = 1e-6
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the divergence from the model that training began with."""
    temperature: Rate = 1.0
    precision: Literal["auto", "bf16", "mixed", "fp32"] = "auto"
    """As for supervised fine-tuning."""
    checkpointing: bool = False
    """Whether activations are computed again instead of kept."""
    seed: Seed = 0
    save_every: Positive = 50
    """Steps between two checkpoints, from which a killed run goes on."""

    @model_validator(mode="after")
    def _fits(self) -> Grpo:
        if self.batch % self.generations:
            raise ValueError(f"batch is {self.batch}: give a multiple of generations, which is {self.generations}")
        if self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch is {self.micro_batch}: give a divisor of batch, which is {self.batch}")
        return self

    def choice(self) -> Choice:
        """Which tasks are played."""
        return Choice(self.split, tuple(self.fields), tuple(self.kinds), self.max_difficulty, self.tasks, self.seed)

    def showing(self) -> Showing:
        """How tasks are shown."""
        return Showing(self.tools, self.brief, self.briefing, self.prompt)

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run: all but how long it is, and where pack and model lie."""
        return self.model_dump(exclude={"steps", "save_every", "model", "pack"})


Recipe = TypeVar("Recipe", bound=BaseModel)


def read_recipe(path: Path, kind: type[Recipe], changed: dict[str, Any]) -> Recipe:
    """The recipe in a YAML file, with some settings changed. Raises RecipeError, in one line that names the key."""
    try:
        data = read_yaml(path)
        if data is not None and not isinstance(data, dict):
            raise RecipeError(f"{path}: a recipe is a mapping of settings, such as `trajectories: 1000`")
        return read_as(kind, {**(data or {}), **changed}, path)
    except FileFault as fault:
        raise RecipeError(str(fault)) from None
