"""Reinforcement: TRL's GRPO over our environments, in process; the reward is what the calls came to."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from agents.students.course import Grpo, RecipeError, select, tasks_digest
from agents.students.curves import LOG, Progress, draw, log_callback, read_log
from agents.students.environment import Pool, executed, make_environment
from agents.students.format import STUDENT, FormatError, chat_format
from agents.students.showing import Shown, show
from envs.worlds import worlds_of
from synthtools.pack import Pack, load_pack, versions
from synthtools.replacing import replacing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD = "student.json"
CURVE = "curve.png"
_CHECKPOINTS = "checkpoints"
_CURVES = ("reward", "reward_std", "episode/finished", "episode/errors", "completions/mean_length")
_PLANS = ("You are using 'environment_factory', which is an experimental feature", r".*gradient_checkpointing` is deprecated")
_PACKAGES = ("torch", "transformers", "trl", "datasets")


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


def grpo(recipe: Grpo, out: Path, progress: Progress | None = None) -> Trained:
    """Train, or go on from the last checkpoint in `out`, and leave the model there with its log, curve and card.

    Raises RecipeError or FormatError for what cannot be done, PackError for the pack; whatever breaks in an environment is raised as it is.
    """
    pack = load_pack(recipe.pack)
    course = prepare(recipe, pack)
    _claim(out, recipe, pack)
    trainer = make_trainer(recipe, course, out, progress)
    with _only_known_warnings():
        trainer.train(resume_from_checkpoint=_last_checkpoint(out))
    trainer.save_model(str(out))
    course.pool.close()
    draw(out / LOG, out / CURVE, _CURVES, f"GRPO, {recipe.reward} reward, {recipe.generations} rollouts a task")
    trained = _trained(out, course)
    _write_json(out / CARD, card(recipe, pack, course, trained))
    return trained


@dataclass(frozen=True, slots=True)
class Course:
    """What the rollouts of a run are played on."""

    shown: Shown
    pool: Pool
    digest: str
    """Of the tasks' ids."""


def prepare(recipe: Grpo, pack: Pack) -> Course:
    """The recipe's tasks as rows, and the environments that they are played in."""
    tasks = select(pack, recipe)
    worlds = worlds_of(tasks, pack.domains)
    pool = Pool(worlds, tasks, reward=recipe.reward, max_steps=recipe.max_calls)
    return Course(show(tasks, worlds, recipe.showing(), recipe.seed), pool, tasks_digest(tasks))


def make_trainer(recipe: Grpo, course: Course, out: Path, progress: Progress | None = None) -> Any:
    """TRL's trainer, ready to go."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.grpo_trainer import GRPOTrainer

    tokenizer = load_tokenizer(recipe)
    with _only_known_warnings():
        trainer = GRPOTrainer(
            model=_load_model(recipe),
            args=make_config(recipe, out),
            train_dataset=Dataset.from_list([dict(row) for row in course.shown.rows]),
            processing_class=tokenizer,
            reward_funcs=cast(Any, executed),
            environment_factory={name: make_environment(name, tools, course.pool, rewards=False) for name, tools in course.shown.sets.items()},
            callbacks=[log_callback(out / LOG, progress, lambda: episodes(course.pool))],
        )
    trainer.remove_callback(PrinterCallback)
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


def load_tokenizer(recipe: Grpo) -> PreTrainedTokenizerBase:
    """The model's tokenizer, speaking the recipe's template, with which TRL can read calls. Raises FormatError, or RecipeError."""
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(recipe.model)
    except (OSError, ValueError) as error:
        raise RecipeError(f"model: {recipe.model} cannot be loaded: {str(error).splitlines()[0]}") from None
    tokenizer.chat_template = chat_format(tokenizer, recipe.template).template
    read_calls(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def read_calls(tokenizer: PreTrainedTokenizerBase) -> None:
    """Tell how calls are read out of what the model says. Raises FormatError for a template of which nobody knows."""
    from trl.chat_template_utils import add_response_schema

    if tokenizer.chat_template == STUDENT.read_text(encoding="utf-8"):
        tokenizer.response_template = hermes(str(tokenizer.eos_token))
    elif getattr(tokenizer, "response_template", None) is None:
        try:
            add_response_schema(tokenizer)
        except ValueError:
            raise FormatError("TRL cannot read calls that are written as the model's own template writes them; give `template: student`") from None


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


def _load_model(recipe: Grpo) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(recipe.model, dtype=recipe.dtype)


def make_config(recipe: Grpo, out: Path) -> Any:
    """The recipe in TRL's words."""
    from torch import cuda
    from trl.trainer.grpo_config import GRPOConfig

    micro = recipe.micro_batch or recipe.batch
    return GRPOConfig(
        output_dir=str(out / _CHECKPOINTS),
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
        save_total_limit=2,
        gradient_checkpointing=recipe.gradient_checkpointing,
        use_cpu=not cuda.is_available(),
        bf16=False,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=cuda.is_available(),
    )


@contextmanager
def _only_known_warnings() -> Iterator[None]:
    """Leave out what TRL and transformers say of their own plans, of which nobody who trains can do anything."""
    with warnings.catch_warnings():
        for message in _PLANS:
            warnings.filterwarnings("ignore", message=message)
        yield


def _claim(out: Path, recipe: Grpo, pack: Pack) -> None:
    """Say whose folder this is. Raises RecipeError where it is another run's."""
    mine = orjson.loads(orjson.dumps({"recipe": recipe.identity(), "pack": pack.digest}))
    file = out / "run.json"
    if file.exists():
        if orjson.loads(file.read_bytes()) != mine:
            raise RecipeError(f"{out}: holds a run with another recipe or pack; give a new folder as --out")
        return
    out.mkdir(parents=True, exist_ok=True)
    _write_json(file, mine)


def _last_checkpoint(out: Path) -> str | None:
    """The newest checkpoint that is whole: the trainer's state is written last."""
    found = [path for path in (out / _CHECKPOINTS).glob("checkpoint-*") if (path / "trainer_state.json").exists()]
    return str(max(found, key=lambda path: int(path.name.rpartition("-")[2]))) if found else None


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
    )


def card(recipe: Grpo, pack: Pack, course: Course, trained: Trained) -> Mapping[str, Any]:
    """What the student was made of; nothing in it depends on when or how fast."""
    return {
        "method": "grpo",
        "base": recipe.model,
        "pack": pack.digest,
        "tasks": course.digest,
        "recipe": recipe.model_dump(),
        "trained": asdict(trained),
        "versions": {**versions(), **{name: version(name) for name in _PACKAGES}},
    }


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
