"""A model with its tokenizer, from a folder or by a name, ready to train or to ask."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from agents.students.format import ChatFormat, chat_format

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Precision = Literal["auto", "bf16", "mixed", "fp32"]

CARD = "student.json"
"""Beside the weights of a student: how it was taught, and so how it must be asked."""


class ModelError(ValueError):
    """A model that cannot be had; the message is one line for people."""


@dataclass(frozen=True)
class Model:
    """Weights and tokenizer, and how they are spoken to."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    format: ChatFormat
    shown: dict[str, Any]
    """How it was taught, as `student.json` beside the weights says: `prompt`, `brief`, `briefing`, `tools`; empty for a model of others."""


def device() -> str:
    """The accelerator of this machine, or the CPU; SYNTHTOOLS_DEVICE overrules."""
    import torch

    asked = os.environ.get("SYNTHTOOLS_DEVICE")
    if asked:
        return asked
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def fastest() -> Precision:
    """The precision of the weights that this machine reckons fastest in: bf16, but fp32 on a processor without products in bf16.

    Without them fp32 was 7.5 times as fast (AVX2, two cores); with AVX-512 BF16, bf16 1.8 times.
    """
    import torch

    able = torch.cpu.get_capabilities()
    return "bf16" if device() != "cpu" or any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else "fp32"


def load_model(name: str, template: str = "auto", precision: Precision = "auto") -> Model:
    """The model of this name: `smollm2`, a folder of weights or of a LoRA adapter, or a hub name. Raises ModelError.

    `precision`: of the weights; `auto`: the fastest. `template`: as `chat_format` takes it.
    """
    precision = fastest() if precision == "auto" else precision
    place = find_model(name)
    weights, tokenizer = _weights(name, place, precision), _tokenizer(name, place)
    return Model(name, weights, tokenizer, chat_format(tokenizer, template), read_shown(place))


def find_model(name: str) -> str:
    """Where a model's files are: a folder's path, or the hub name as it is. The default student is prepared where it is not yet."""
    from agents.students.fetch import NAME, fetch

    if name == NAME:
        return str(fetch())
    if Path(name).is_dir() and not any((Path(name) / file).is_file() for file in ("config.json", "adapter_config.json")):
        raise ModelError(f"{name}: no model here (there is no config.json)")
    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") != 1):
        raise ModelError(f"{name}: no such folder; a model is `{NAME}`, a folder with a config.json, or a hub name such as org/model")
    return name


def read_shown(place: str) -> dict[str, Any]:
    """How lessons were shown to the student in a folder; empty where nothing says so. Raises ModelError."""
    path = Path(place) / CARD
    if not path.is_file():
        return {}
    try:
        found = orjson.loads(path.read_bytes())
        return dict(found.get("shown", {}))
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{path}: is not what training writes: {error}") from None


def _tokenizer(name: str, place: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(place)
    except Exception as error:  # noqa: BLE001  files are a stranger's, and each of three packages has its own errors for what is wrong in them
        raise ModelError(f"{name}: its tokenizer cannot be read: {' '.join(str(error).split())[:200]}") from None


def _weights(name: str, place: str, precision: Precision) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    kind: torch.dtype = torch.float32 if precision in ("mixed", "fp32") else torch.bfloat16
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        if (Path(place) / "adapter_config.json").is_file():
            from peft import AutoPeftModelForCausalLM

            adapted = AutoPeftModelForCausalLM.from_pretrained(place, dtype=kind)
            return adapted.merge_and_unload()
        return AutoModelForCausalLM.from_pretrained(place, dtype=kind)
    except Exception as error:  # noqa: BLE001  as for tokenizers
        raise ModelError(f"{name}: cannot be loaded: {' '.join(str(error).split())[:200]}") from None


def weights_digest(folder: Path) -> str:
    """SHA-256 over a folder's weights, configuration and tokenizer, by name: what makes two models one."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin", ".json", ".jinja", ".model") and path.is_file():
            with path.open("rb") as file:
                total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
