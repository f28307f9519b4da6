"""Supervised fine-tuning: TRL's trainer over lessons, with a loss on what the assistant says and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.students.curves import LOG, Progress, draw, log_callback, read_log
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
from agents.students.model import Model, device, load_model
from agents.students.recipe import Sft
from agents.students.samples import DataError, Example, Samples, make_samples

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer


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


def chosen(rows: list[Example], recipe: Sft) -> list[Example]:
    """The conversations that a recipe takes: of the train split, by `kinds` and `no_change`. Raises DataError where none is left."""
    train = [row for row in rows if row.split == "train" and (not recipe.kinds or row.kind in recipe.kinds)]
    kept = [row for row in train if recipe.no_change or row.outcome in ("", "done")]
    if not kept:
        raise DataError(f"of {len(rows)} conversations none is of the train split and wanted by the recipe")
    return kept


def train_sft(recipe: Sft, rows: list[Example], out: Path, progress: Progress | None = None) -> Trained:
    """Train, and keep the student in `out` with its log, curve and card; killed, the same call goes on from the last checkpoint.

    Raises ModelError, DataError, and RecipeError where `out` holds another training.
    """
    from transformers import set_seed

    begun = time.monotonic()
    set_seed(recipe.seed)
    model = load_model(recipe.model, recipe.template, weights_in(recipe.precision))
    samples = make_samples(chosen(rows, recipe), recipe.trajectories, recipe.lessons.shape(), model.format, recipe.seed, recipe.kinds)
    if not samples.samples:
        raise DataError(f"no conversation fits into {recipe.lessons.max_tokens} tokens; give a larger `max_tokens`")
    base = base_digest(recipe.model)
    claim(out, {"recipe": recipe.identity(), "data": samples.digest, "base": base})
    trainer = make_trainer(recipe, model, samples, out, progress)
    last = last_checkpoint(out)
    with only_known_warnings():
        if last and is_done(last):
            take_back(trainer, last)
        else:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    keep_model(trainer, model, out)
    draw(out / LOG, out / CURVE, ("loss", "grad_norm", "learning_rate"), f"SFT, {samples.conversations} trajectories")
    losses = [row["loss"] for row in read_log(out / LOG) if "loss" in row]
    tail = losses[-max(1, len(losses) // 10) :]
    trained = Trained(out, samples, trainer.state.global_step, sum(tail) / len(tail), time.monotonic() - begun)
    keep_card(out, card(recipe, base, trained), words(recipe, trained))
    return trained


def make_trainer(recipe: Sft, model: Model, samples: Samples, out: Path, progress: Progress | None = None) -> SFTTrainer:
    """TRL's trainer, set up as the recipe says."""
    from transformers import PrinterCallback

    from agents.students.order import order_by_epoch
    from agents.students.trainer import AssistantTrainer

    weights = model.model
    freeze(weights, recipe.frozen)
    rounded = weights_in(recipe.precision) == "bf16" and recipe.lora is None
    optimiser = None
    if rounded:
        from agents.students.optimiser import MasterAdamW

        optimiser = (MasterAdamW, {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True})
    with only_known_warnings():
        trainer = AssistantTrainer(
            model=weights,
            args=config(recipe, out),
            train_dataset=dataset(samples),
            processing_class=model.tokenizer,
            peft_config=_adapter(recipe, weights),
            optimizer_cls_and_kwargs=optimiser,
            callbacks=[log_callback(out / LOG, progress)],
        )
    trainer.remove_callback(PrinterCallback)
    order_by_epoch(trainer)
    return trainer


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

    mixed = weights_in(recipe.precision) == "mixed"
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
        logging_nan_inf_filter=False,
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


def _adapter(recipe: Sft, weights: Any) -> Any:
    if recipe.lora is None:
        return None
    from peft import LoraConfig
    from torch.nn import Linear

    lora, head = recipe.lora, weights.get_output_embeddings()
    above = [name for name, part in weights.named_modules() if isinstance(part, Linear) and part is not head and part.weight.requires_grad]
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=above if recipe.frozen else "all-linear",
        task_type="CAUSAL_LM",
    )


def card(recipe: Sft, base: str, trained: Trained) -> dict[str, Any]:
    """What the student was made of; nothing in it depends on when or how fast."""
    samples, lessons = trained.samples, recipe.lessons
    return {
        "method": "sft",
        "base": recipe.model,
        "base_digest": base,
        "recipe": recipe.model_dump(),
        "shown": {"prompt": lessons.prompt, "brief": lessons.brief, "tools": lessons.tools},
        "data": {
            "digest": samples.digest,
            "domains": list(samples.domains),
            "kinds": dict(samples.kinds),
            "conversations": samples.conversations,
            "whole": samples.whole,
            "left_out": samples.dropped,
            "samples": len(samples.samples),
            "tokens": samples.tokens,
            "spoken_tokens": samples.spoken,
        },
        "steps": trained.steps,
        "loss": trained.loss,
    }


def words(recipe: Sft, trained: Trained) -> list[tuple[str, str]]:
    """The same for people."""
    samples = trained.samples
    return [
        ("Base", recipe.model),
        ("Licence", licence(recipe.model)),
        ("Data", f"{samples.conversations:,} proven trajectories in {len(samples.samples):,} samples"),
        ("Left out", f"{samples.dropped:,} trajectories that do not fit; of those taken {samples.whole:,} stand to their end"),
        ("Tokens", f"{samples.tokens:,}, of which the loss counts {samples.spoken:,}"),
        ("Fields' subdomains trained on", ", ".join(samples.domains)),
        ("Data hash", f"`{samples.digest}` (SHA-256 over the token ids)"),
        ("Seed", str(recipe.seed)),
        ("Steps", f"{trained.steps:,}, final loss {trained.loss:.3f}"),
    ]
