"""`synthtools train`: a student learns."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.output import BadInput, Failed, Json, Out, make_folder, print_json, print_line, program, progress
from agents.cli.rollout import find_pack

if TYPE_CHECKING:
    from agents.students.recipe import Grpo

train = typer.Typer(help="Train a student on this machine.", no_args_is_help=True, rich_markup_mode=None)
RecipeFile = Annotated[Path, typer.Argument(help="The recipe, a YAML file.", show_default=False)]
PackFolder = Annotated[Path | None, typer.Option("--pack", file_okay=False, help="A pack, or the folder of a run; the recipe's if not given.")]
ModelName = Annotated[str | None, typer.Option("--model", help="The model to begin with, a folder or a name; the recipe's if not given.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps of the optimiser; the recipe's if not given.")]
RecipeSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Everything that is drawn comes from it; the recipe's if not given.")]
NEEDED = ("torch", "transformers", "trl", "datasets", "matplotlib")


@train.command("sft")
def sft(
    recipe: RecipeFile,
    data: Annotated[Path, typer.Option("--data", help="A train.jsonl, the folder that `synthtools export` wrote, or a run with one.")],
    out: Out,
    model: ModelName = None,
    trajectories: Annotated[int | None, typer.Option("--trajectories", min=0, help="How many are drawn; 0: all; the recipe's if not given.")] = None,
    seed: RecipeSeed = None,
    as_json: Json = False,
) -> None:
    """Fine-tune a student on exported trajectories, by what the assistant says in them. Killed, the same command goes on."""
    refuse_without_packages()
    from agents.students.recipe import Sft, read_recipe
    from agents.students.samples import read_examples
    from agents.students.sft import train_sft

    changed = {"model": model, "trajectories": trajectories, "seed": seed}
    settings = read_recipe(recipe, Sft, {name: value for name, value in changed.items() if value is not None})
    rows = read_examples(data)
    make_folder(out)
    with progress("sft") as update:
        trained = train_sft(settings, rows, out, update)
    samples = trained.samples
    if as_json:
        data_made = {"trajectories": samples.conversations, "left_out": samples.dropped, "samples": len(samples.samples), "data": samples.digest}
        tokens = {"tokens": samples.tokens, "spoken_tokens": samples.spoken}
        print_json({"out": str(out), **data_made, **tokens, "steps": trained.steps, "loss": trained.loss, "seconds": round(trained.seconds, 1)})
    else:
        print_line(f"{samples.conversations:,} trajectories, {samples.tokens:,} tokens, {trained.steps:,} steps, final loss {trained.loss:.3f}")
        if samples.dropped:
            print_line(f"{samples.dropped:,} trajectories were left out: they do not fit into {settings.lessons.max_tokens:,} tokens")
        print_line(f"The student is in {out}, its curves in {out / 'curve.png'}")
        print_line(f"Measure it:  {program()} evaluate --model {out} --before {settings.model} --pack PACK")


@train.command("grpo")
def grpo(
    recipe: RecipeFile,
    out: Out,
    pack: PackFolder = None,
    model: ModelName = None,
    steps: Steps = None,
    seed: RecipeSeed = None,
    as_json: Json = False,
) -> None:
    """Reinforce a student by GRPO: it acts in a pack's tasks, and what its calls came to is its reward. Killed, the same command goes on."""
    refuse_without_packages()
    settings = _grpo_recipe(recipe, {"pack": pack and str(pack), "model": model, "steps": steps, "seed": seed})
    make_folder(out)
    from agents.students.grpo import grpo as reinforce

    with progress("grpo") as update:
        trained = reinforce(settings, out, update)
    if as_json:
        from dataclasses import asdict

        print_json({"out": str(out), **asdict(trained)})
    else:
        print_line(f"{trained.steps:,} steps over {trained.tasks:,} tasks")
        print_line(f"Mean reward {trained.first_reward:.3f} over the first fifth of the steps, {trained.last_reward:.3f} over the last")
        print_line(f"The model is in {out}, its curve in {out / 'curve.png'}")
    if not trained.best_reward:
        raise Failed(f"{out}: no rollout was ever rewarded, so nothing was learned; begin with a model that makes calls, or take easier tasks")


def refuse_without_packages() -> None:
    """BadInput where what training needs is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(f'training needs packages that are not here ({", ".join(missing)}): pip install "synthtools[train]"')


def _grpo_recipe(path: Path, changed: dict[str, Any]) -> Grpo:
    from agents.students.recipe import Grpo, read_recipe

    made = read_recipe(path, Grpo, {name: value for name, value in changed.items() if value is not None})
    for name in ("model", "pack"):
        if not getattr(made, name):
            raise BadInput(f"{path}: {name}: is not given; set it here or with --{name}")
    return made.model_copy(update={"pack": str(find_pack(Path(made.pack)))})
