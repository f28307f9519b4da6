"""Reinforcement: TRL's GRPO over our environments, in process; the reward is what the calls came to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from agents.choice import choose_tasks
from agents.students.curves import LOG, Progress, draw, log_callback, read_log
from agents.students.environment import Pool, executed, make_environment
from agents.students.folder import (
    CHECKPOINTS,
    CURVE,
    base_digest,
    claim,
    is_done,
    keep_card,
    keep_model,
    last_checkpoint,
    licence,
    only_known_warnings,
    take_back,
    weights_in,
)
from agents.students.format import ChatFormat, FormatError
from agents.students.model import Model, device, load_model
from agents.students.recipe import Grpo, RecipeError
from agents.students.showing import Shown, show
from envs.worlds import worlds_of
from synthtools.pack import Pack, load_pack

_CURVES = ("reward", "reward_std", "episode/finished", "episode/errors", "completions/mean_length")


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that came to its end."""

    steps: int
    tasks: int
    tool_sets: int
    environments: int
    """Made in all; they are used again and again."""
    first_reward: float
    """Mean of the first fifth of the steps."""
    last_reward: float
    best_reward: float
    """Mean of the best step."""


def grpo(recipe: Grpo, out: Path, progress: Progress | None = None) -> Trained:
    """Train, or go on from the last checkpoint in `out`, and leave the model there with its log, curve and card.

    Raises RecipeError or FormatError for what cannot be done, PackError for the pack; whatever breaks in an environment is raised as it is.
    """
    from transformers import set_seed

    pack = load_pack(recipe.pack)
    course = prepare(recipe, pack)
    base = base_digest(recipe.model)
    claim(out, {"recipe": recipe.identity(), "pack": pack.digest, "base": base})
    set_seed(recipe.seed)
    model = load_model(recipe.model, recipe.template, weights_in(recipe.precision))
    trainer = make_trainer(recipe, model, course, out, progress)
    last = last_checkpoint(out)
    with only_known_warnings():
        if last and is_done(last, recipe.steps):
            take_back(trainer, last)
        else:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    keep_model(trainer, model, out)
    course.pool.close()
    draw(out / LOG, out / CURVE, _CURVES, f"GRPO, {recipe.reward} reward, {recipe.generations} rollouts a task")
    trained = _trained(out, course)
    keep_card(out, card(recipe, base, pack, course, trained), words(recipe, pack, trained))
    return trained


@dataclass(frozen=True, slots=True)
class Course:
    """What the rollouts of a run are played on."""

    shown: Shown
    pool: Pool
    digest: str
    """Of the tasks' ids."""


def prepare(recipe: Grpo, pack: Pack) -> Course:
    """The recipe's tasks as rows, and the environments that they are played in. Raises RecipeError where they are too few for a step."""
    tasks = choose_tasks(pack, recipe.choice())
    wanted = recipe.batch // recipe.generations
    if len(tasks) < wanted:
        raise RecipeError(f"a step takes {wanted} tasks (batch / generations) and there are {len(tasks)}; give a smaller batch, or more tasks")
    worlds = worlds_of(tasks, pack.domains)
    digest = hashlib.sha256("\n".join(sorted(task.id for task in tasks)).encode()).hexdigest()
    pool = Pool(worlds, tasks, reward=recipe.reward, max_steps=recipe.max_calls)
    return Course(show(tasks, {task.id: task for task in pack.tasks}, worlds, recipe.showing(), recipe.seed), pool, digest)


def make_trainer(recipe: Grpo, model: Model, course: Course, out: Path, progress: Progress | None = None) -> Any:
    """TRL's trainer, ready to go."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.grpo_trainer import GRPOTrainer

    from agents.students.order import order_by_epoch

    read_calls(model.format)
    with only_known_warnings():
        trainer = GRPOTrainer(
            model=model.model,
            args=make_config(recipe, out),
            train_dataset=Dataset.from_list([dict(row) for row in course.shown.rows]),
            processing_class=model.tokenizer,
            reward_funcs=cast(Any, executed),
            environment_factory={name: make_environment(name, tools, course.pool, rewards=False) for name, tools in course.shown.sets.items()},
            callbacks=[log_callback(out / LOG, progress, lambda: episodes(course.pool))],
        )
    trainer.remove_callback(PrinterCallback)
    order_by_epoch(trainer)
    if weights_in(recipe.precision) == "bf16":
        from agents.students.optimiser import MasterAdamW

        trainer.optimizer_cls_and_kwargs = (MasterAdamW, {"lr": recipe.learning_rate, "weight_decay": 0.0})
    show_exactly(trainer, course.shown)
    return trainer


def show_exactly(trainer: Any, shown: Shown) -> None:
    """Have the trainer show our schemas, of which signatures can say only a part.

    TRL keeps what it shows apart from what it calls, but has no argument for it; where a version keeps it elsewhere, signatures it is.
    """
    if set(getattr(trainer, "_env_tools", ())) == set(shown.sets):
        trainer._env_tools = {name: [dict(tool) for tool in tools] for name, tools in shown.sets.items()}


def episodes(pool: Pool) -> dict[str, float]:
    """Means over the episodes since the last time this was asked, and the seconds that they took in our hands."""
    settled, pool.settled = pool.settled, []
    if not settled:
        return {}
    return {
        "episode/calls": sum(tally.calls for tally in settled) / len(settled),
        "episode/errors": sum(tally.errors for tally in settled) / len(settled),
        "episode/finished": sum(tally.finished for tally in settled) / len(settled),
        "episode/seconds": sum(tally.seconds for tally in settled),
    }


def read_calls(speech: ChatFormat) -> None:
    """Have the tokenizer speak the format's template, and TRL read calls out of it: a template that it knows, or one that writes as Hermes does.

    Raises FormatError for any other.
    """
    from trl.chat_template_utils import add_response_schema

    tokenizer = speech.tokenizer
    tokenizer.chat_template = speech.template
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    try:
        add_response_schema(tokenizer)
    except ValueError:
        tokenizer.response_template = hermes(speech.stop)
        if not _reads(speech):
            raise FormatError("TRL cannot read calls that are written as the model's own template writes them; give `template: student`") from None
    _take_as_said(tokenizer)


def _take_as_said(tokenizer: Any) -> None:
    """Keep the values of calls in JSON as they were said: transformers would mend what does not fit the schema, and a mistake would be no mistake."""
    template = getattr(tokenizer, "response_template", None) or {}
    if template.get("fields", {}).get("tool_calls", {}).get("content") == "json":
        read = type(tokenizer).parse_response
        tokenizer.parse_response = lambda response, prefix=None, tools=None: read(tokenizer, response, prefix=prefix)


def _reads(speech: ChatFormat) -> bool:
    """Whether what the template writes for a call is read as that call."""
    function = {"name": "probe_call", "arguments": {"a": [1, "b"]}}
    asked: list[dict[str, Any]] = [{"role": "user", "content": "U"}]
    answered = [*asked, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}]
    ids, spoken = speech.sample(answered, [])
    said = [token for token, is_said in zip(ids, spoken, strict=True) if is_said]
    try:
        parsed: Any = speech.tokenizer.parse_response(said, prefix=speech.prompt(asked, []))
    except ValueError:
        return False
    return [call["function"] for call in parsed.get("tool_calls", ())] == [function]


def hermes(stop: str) -> dict[str, Any]:
    """How transformers reads the calls of our template."""
    call = {"open": "<tool_call>", "close_pattern": r"</tool_call>\s*", "repeats": True, "content": "json"}
    return {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "tool_calls": {**call, "transform": {"type": "function", "function": "{content}"}},
            "content": {"close_pattern": re.escape(stop) + r"\s*", "content": "text"},
        },
    }


def make_config(recipe: Grpo, out: Path) -> Any:
    """The recipe in TRL's words."""
    from trl.trainer.grpo_config import GRPOConfig

    micro = recipe.micro_batch or recipe.batch
    return GRPOConfig(
        output_dir=str(out / CHECKPOINTS),
        max_steps=recipe.steps,
        num_generations=recipe.generations,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch // micro,
        max_completion_length=recipe.max_tokens,
        max_tool_calling_iterations=recipe.turns,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant",
        beta=recipe.beta,
        temperature=recipe.temperature,
        seed=recipe.seed,
        save_steps=recipe.save_every,
        save_total_limit=1,
        gradient_checkpointing=recipe.checkpointing,
        use_cpu=device() == "cpu",
        bf16=weights_in(recipe.precision) == "mixed",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _trained(out: Path, course: Course) -> Trained:
    rewards = [row["reward"] for row in read_log(out / LOG) if "reward" in row]
    fifth = max(1, len(rewards) // 5)
    return Trained(
        steps=len(rewards),
        tasks=len(course.shown.rows),
        tool_sets=len(course.shown.sets),
        environments=course.pool.made,
        first_reward=sum(rewards[:fifth]) / fifth,
        last_reward=sum(rewards[-fifth:]) / fifth,
        best_reward=max(rewards),
    )


def card(recipe: Grpo, base: str, pack: Pack, course: Course, trained: Trained) -> Mapping[str, Any]:
    """What the student was made of; nothing in it depends on when or how fast."""
    return {
        "method": "grpo",
        "base": recipe.model,
        "base_digest": base,
        "pack": pack.digest,
        "tasks": course.digest,
        "recipe": recipe.model_dump(),
        "shown": {"prompt": recipe.prompt, "brief": recipe.brief, "briefing": recipe.briefing, "tools": recipe.tools},
        "trained": asdict(trained),
    }


def words(recipe: Grpo, pack: Pack, trained: Trained) -> list[tuple[str, str]]:
    """The same for people."""
    return [
        ("Base", recipe.model),
        ("Licence", licence(recipe.model)),
        ("Tasks", f"{trained.tasks:,} of the {recipe.split} split of the pack `{pack.digest}`"),
        ("Steps", f"{trained.steps:,}"),
        ("Reward", f"{recipe.reward}, by execution: {trained.first_reward:.3f} in the first fifth of steps, {trained.last_reward:.3f} in the last"),
        ("Seed", str(recipe.seed)),
    ]
