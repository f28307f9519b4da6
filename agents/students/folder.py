"""A training's folder: whose it is, where it goes on from, and what it leaves behind."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from agents.students.fetch import MANIFEST as FETCHED
from agents.students.model import CARD, Model, device, fastest, find_model, weights_digest
from agents.students.recipe import RecipeError
from synthtools.pack import versions
from synthtools.replacing import replacing

CHECKPOINTS = "checkpoints"
CURVE = "curve.png"
_PACKAGES = ("torch", "transformers", "trl", "datasets", "peft", "accelerate")
_PLANS = ("You are using 'environment_factory', which is an experimental feature", r".*gradient_checkpointing` is deprecated")


def claim(out: Path, settings: Mapping[str, Any]) -> None:
    """Say whose folder this is. Raises RecipeError where it is another training's."""
    mine = orjson.loads(orjson.dumps(settings))
    file = out / "run.json"
    if file.exists():
        theirs = _read(file)
        if theirs is None:
            raise RecipeError(f"{file}: is not what a training writes; give a new folder as --out")
        if theirs.keys() != mine.keys():
            raise RecipeError(f"{out}: was written by another command, or another version of this one; give a new folder as --out")
        if theirs != mine:
            name = next(name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name))
            raise RecipeError(f"{out}: holds a training with another {name}; give a new folder as --out")
        return
    out.mkdir(parents=True, exist_ok=True)
    write_json(file, mine)


def _read(file: Path) -> dict[str, Any] | None:
    """What a file for programs says; None where it is no object of JSON."""
    try:
        found = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def base_digest(name: str) -> str:
    """The digest of the model that training begins with, or its name where it is not on this machine."""
    place = Path(find_model(name))
    return weights_digest(place) if place.is_dir() else name


def licence(name: str) -> str:
    """Under which the model may be used that training begins with, and so the student; the default one's is known."""
    written = _read(Path(find_model(name)) / FETCHED) if (Path(find_model(name)) / FETCHED).is_file() else None
    return f"that of its base: {written['licence']}" if written else "that of its base"


def weights_in(precision: str) -> Any:
    """The precision that `auto` stands for on this machine, or the one that was given."""
    if precision != "auto":
        return precision
    return fastest() if device() == "cpu" else "mixed"


def last_checkpoint(out: Path) -> Path | None:
    """The newest whole checkpoint of a training that was interrupted."""
    found = sorted((out / CHECKPOINTS).glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in found if (path / "trainer_state.json").is_file()), None)


def is_done(checkpoint: Path, steps: int = 0) -> bool:
    """Whether it is of the last of so many steps; 0: of as many as its training was to have."""
    state = orjson.loads((checkpoint / "trainer_state.json").read_bytes())
    return bool(state["global_step"] >= (steps or state["max_steps"]))


def take_back(trainer: Any, checkpoint: Path) -> None:
    """Put a trainer where the last checkpoint left it, for trainers of transformers that are told to go on may make one step more."""
    trainer._load_from_checkpoint(str(checkpoint))
    trainer.state.global_step = orjson.loads((checkpoint / "trainer_state.json").read_bytes())["global_step"]


def keep_model(trainer: Any, model: Model, out: Path) -> None:
    """Weights (a LoRA adapter merged into them) and tokenizer, with the template that the student was taught in."""
    weights: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(weights, "merge_and_unload"):
        weights = weights.merge_and_unload()
    weights.save_pretrained(out)
    model.tokenizer.chat_template = model.format.template
    model.tokenizer.save_pretrained(out)


def keep_card(out: Path, card: Mapping[str, Any], words: Sequence[tuple[str, str]]) -> None:
    """`student.json` for programs, and a README for people: `words` are its lines, each with a label."""
    used = {**versions(), **{name: version(name) for name in _PACKAGES}, "python": platform.python_version()}
    write_json(out / CARD, {**card, "versions": used})
    lines = [f"# {out.name}", "", "A student of synthtools: it does what is asked by calling tools.", ""]
    lines += [f"- **{label}**: {text}" for label, text in (*words, ("Versions", ", ".join(f"{name} {used[name]}" for name in sorted(used))))]
    if (out / CURVE).is_file():
        lines += ["", f"![curves]({CURVE})"]
    with replacing(out / "README.md") as file:
        file.write(("\n".join(lines) + "\n").encode())


@contextmanager
def only_known_warnings() -> Iterator[None]:
    """Leave out what TRL and transformers say of their own plans, of which nobody who trains can do anything."""
    with warnings.catch_warnings():
        for message in _PLANS:
            warnings.filterwarnings("ignore", message=message)
        yield


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """A file for programs, whole or not at all."""
    with replacing(path) as file:
        file.write(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
