"""A course of reinforcement: what its recipe says, and the tasks that it means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.lesson import PROMPT
from agents.students.environment import RewardName
from agents.students.model import Precision
from agents.students.recipe import Rate, RecipeError, Seed
from agents.students.showing import Showing
from envs.env import MAX_STEPS
from synthtools.pack import Pack
from synthtools.task import KINDS, Task

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]


class Grpo(BaseModel):
    """Group relative policy optimisation (Shao et al., arXiv 2402.03300) by TRL, rewarded by what calls came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    """`smollm2`, a folder, or a hub name."""
    pack: str = ""
    template: str = "auto"
    """`auto`, `own`, `student`, or a Jinja file: how the model is spoken to."""

    split: Literal["train", "validation", "test"] = "train"
    fields: list[str] | None = None
    domains: list[str] | None = None
    kinds: list[Literal[KINDS]] | None = None  # type: ignore[valid-type]  # the kinds that there are
    max_difficulty: Count = 10
    tasks: Natural = 0
    """At most so many, spread over those that fit; 0: all."""

    tools: Natural = 6
    """Shown at most besides `finish` and any more that are needed; 0: all."""
    brief: bool = True
    """Whether schemas are cut to what calls cannot do without."""
    briefing: bool = True
    """Whether the day and the policies are said."""
    prompt: str = PROMPT

    reward: RewardName = "success"
    steps: Count = 200
    generations: Annotated[int, Field(ge=2)] = 8
    """Rollouts of a task, which are compared with one another."""
    batch: Count = 16
    """Rollouts a step, a multiple of `generations`."""
    micro_batch: Natural = 0
    """Of these at once in the loss; 0: all."""
    max_tokens: Count = 512
    """Of a rollout, results included."""
    turns: Count = 8
    """Turns with calls."""
    max_calls: Annotated[int, Field(ge=2)] = MAX_STEPS
    learning_rate: Rate = 1e-6
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the divergence from the model that training began with."""
    temperature: Rate = 1.0
    precision: Precision = "auto"
    """As for supervised fine-tuning."""
    checkpointing: bool = False
    """Whether activations are computed again instead of kept."""
    seed: Seed = 0
    save_every: Count = 50
    """Steps between two checkpoints, from which a killed run goes on."""

    @model_validator(mode="after")
    def _fits(self) -> Grpo:
        if self.batch % self.generations:
            raise ValueError(f"batch is {self.batch}: give a multiple of generations, which is {self.generations}")
        if self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch is {self.micro_batch}: give a divisor of batch, which is {self.batch}")
        return self

    def showing(self) -> Showing:
        """How tasks are shown."""
        return Showing(self.tools, self.brief, self.briefing, self.prompt)

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run: all but how long it is, and where pack and model lie."""
        return self.model_dump(exclude={"steps", "save_every", "model", "pack"})


def select(pack: Pack, recipe: Grpo) -> tuple[Task, ...]:
    """The pack's tasks that a recipe means. Raises RecipeError for a name that is not in the pack, and where no task is left."""
    _refuse_strangers("domains", recipe.domains, pack.domains)
    _refuse_strangers("fields", recipe.fields, {domain.field for domain in pack.domains.values()})
    fitting = [task for task in pack.tasks if task.split == recipe.split and task.difficulty <= recipe.max_difficulty and _fits(task, recipe)]
    if not fitting:
        raise RecipeError(f"the pack has no task of the {recipe.split} split that fits the recipe's fields, domains, kinds and max_difficulty")
    if not recipe.tasks or recipe.tasks >= len(fitting):
        return tuple(fitting)
    return tuple(fitting[index * len(fitting) // recipe.tasks] for index in range(recipe.tasks))


def _fits(task: Task, recipe: Grpo) -> bool:
    wanted: Iterable[tuple[str, Sequence[str] | None]] = (
        (task.field, recipe.fields),
        (task.domain, recipe.domains),
        (task.kind, recipe.kinds),
    )
    return all(names is None or name in names for name, names in wanted)


def _refuse_strangers(key: str, names: Sequence[str] | None, known: Iterable[str]) -> None:
    strangers = sorted(set(names or ()) - set(known))
    if strangers:
        raise RecipeError(f"{key}: {strangers[0]} is not in the pack, which has {', '.join(sorted(known))}")


def tasks_digest(tasks: Iterable[Task]) -> str:
    """Of the tasks' ids, in any order."""
    return hashlib.sha256("\n".join(sorted(task.id for task in tasks)).encode()).hexdigest()
