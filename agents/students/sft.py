"""Supervised fine-tuning: TRL's trainer over lessons, with a loss on what the assistant says and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.students.model import Model, device, load_model
from agents.students.recipe import Sft
from agents.students.samples import Conversation, DataError, Samples, make_samples

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

Progress = Callable[[int, int, float], None]
"""Told (steps done, steps in all, loss)."""

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to."""

    folder: Path
    samples: Samples
    steps: int
    loss: float
    """The mean over the last tenth of the steps."""
    seconds: float
    """Of this call; a resumed training took others before."""


def chosen(rows: list[Conversation], recipe: Sft) -> list[Conversation]:
    """The conversations that a recipe takes: of the train split, by `no_change`. Raises DataError where none is left."""
    train = [row for row in rows if row.split == "train"]
    kept = [row for row in train if recipe.no_change or row.outcome in ("", "done")]
    if not kept:
        raise DataError(f"of {len(rows)} conversations none is of the train split and wanted by the recipe")
    return kept


def train_sft(recipe: Sft, rows: list[Conversation], out: Path, progress: Progress | None = None) -> Trained:
    """Train, and keep the student in `out`; killed, the same call goes on from the last checkpoint. Raises ModelError and DataError."""
    from transformers import set_seed

    begun = time.monotonic()
    set_seed(recipe.seed)
    model = load_model(recipe.model, recipe.template, _weights(recipe))
    samples = make_samples(chosen(rows, recipe), recipe.trajectories, recipe.lessons.shape(), model.format, recipe.seed)
    if not samples.samples:
        raise DataError(f"no conversation fits into {recipe.lessons.max_tokens} tokens; give a larger `max_tokens`")
    trainer = make_trainer(recipe, model, samples, out)
    if progress is not None:
        trainer.add_callback(_told(progress))
    last = last_checkpoint(out)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    keep_model(trainer, model, out)
    tail = losses[-max(1, len(losses) // 10) :]
    return Trained(out, samples, trainer.state.global_step, sum(tail) / len(tail), time.monotonic() - begun)


def _weights(recipe: Sft) -> Any:
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if device() == "cpu" else "mixed"


def make_trainer(recipe: Sft, model: Model, samples: Samples, out: Path) -> SFTTrainer:
    """TRL's trainer, set up as the recipe says."""
    from agents.students.trainer import AssistantTrainer

    weights = model.model
    freeze(weights, recipe.frozen)
    rounded = _weights(recipe) == "bf16" and recipe.lora is None
    optimiser = None
    if rounded:
        from agents.students.optimiser import MasterAdamW

        optimiser = (MasterAdamW, {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True})
    return AssistantTrainer(
        model=weights,
        args=config(recipe, out),
        train_dataset=dataset(samples),
        processing_class=model.tokenizer,
        peft_config=_adapter(recipe),
        optimizer_cls_and_kwargs=optimiser,
    )


def freeze(weights: Any, layers: int) -> None:
    """Leave the embeddings and the first layers as they are. Raises DataError where the model has no such layers."""
    if not layers:
        return
    stack = getattr(weights.base_model, "layers", None)
    if stack is None or len(stack) <= layers:
        raise DataError(f"frozen is {layers}: the model has {0 if stack is None else len(stack)} layers that could be")
    for part in (weights.get_input_embeddings(), *stack[:layers]):
        part.requires_grad_(False)


def config(recipe: Sft, out: Path) -> SFTConfig:
    """The recipe as TRL's settings."""
    from trl import SFTConfig

    mixed = _weights(recipe) == "mixed"
    return SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup,
        lr_scheduler_type="cosine",
        bf16=mixed,
        fp16=False,
        use_cpu=device() == "cpu",
        gradient_checkpointing=recipe.checkpointing,
        train_sampling_strategy="group_by_length",
        max_length=None,
        packing=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        logging_steps=1,
        save_steps=recipe.save_every,
        save_total_limit=1,
        dataloader_pin_memory=False,
        report_to=[],
        disable_tqdm=True,
    )


def dataset(samples: Samples) -> Dataset:
    """Token ids, and labels that leave out what the assistant does not say."""
    from datasets import Dataset

    labels = [[token if counts else -100 for token, counts in zip(sample.ids, sample.spoken, strict=True)] for sample in samples.samples]
    return Dataset.from_dict({"input_ids": [list(sample.ids) for sample in samples.samples], "labels": labels})


def _adapter(recipe: Sft) -> Any:
    if recipe.lora is None:
        return None
    from peft import LoraConfig

    lora = recipe.lora
    return LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type="CAUSAL_LM")


def last_checkpoint(out: Path) -> Path | None:
    """The newest whole checkpoint of a training that was interrupted."""
    found = sorted((out / CHECKPOINTS).glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in found if (path / "trainer_state.json").is_file()), None)


def keep_model(trainer: SFTTrainer, model: Model, out: Path) -> None:
    """Weights (a LoRA adapter merged into them) and tokenizer, with the template that the student was taught in."""
    weights: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(weights, "merge_and_unload"):
        weights = weights.merge_and_unload()
    weights.save_pretrained(out)
    model.tokenizer.chat_template = model.format.template
    model.tokenizer.save_pretrained(out)


def _told(progress: Progress) -> Any:
    from transformers import TrainerCallback

    class Told(TrainerCallback):  # type: ignore[misc]
        """Passes on how far the training is."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            """After each step."""
            if logs and "loss" in logs:
                progress(state.global_step, state.max_steps, float(logs["loss"]))

    return Told()
