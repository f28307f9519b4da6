"""A small model that half knows how to make a call: its vocabulary, its weights and its lessons are all made here."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from agents.students.format import STUDENT, ChatFormat
from agents.students.showing import Shown
from synthtools.backend import LocalBackend
from synthtools.domain import Domain
from synthtools.generate import Factory, named
from synthtools.task import Task, resolve

Sample = tuple[list[int], list[bool]]
_WORD = r"[A-Z]{1,3}-?\d+| ?\p{L}+| ?\d+| ?[^\s\p{L}\d]+|\s+"
"""An id, a word, a number, signs, space."""
MARKUP = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")


def simple_tasks(domain: Domain, wanted: int, seed: int) -> list[Task]:
    """Proven tasks of one call with one argument, which the request states as it is: an id to be copied, and a tool to be chosen."""
    factory, made = Factory(domain, seed), []
    for number in range(wanted * 20):
        for task in factory.attempt("single", number):
            if _is_simple(task):
                made += named((task,), len(made))
        if len(made) == wanted:
            return made
    raise ValueError(f"{domain.name}: only {len(made)} such tasks")


def _is_simple(task: Task) -> bool:
    values = list(task.solution[0].arguments.values())
    copied = len(values) == 1 and isinstance(values[0], str) and values[0] in task.request
    return copied and dict(task.solution[-1].arguments) == {"outcome": "done"}


def lessons(tasks: Sequence[Task], shown: Shown, domain: Domain) -> Iterator[tuple[list[dict[str, Any]], Sequence[Any]]]:
    """What the model is taught from: solutions as conversations with their real results; after `finish` there is nothing to say."""
    backend = LocalBackend(domain)
    for task, row in zip(tasks, shown.rows, strict=True):
        backend.reset(task.start)
        call = resolve(task.solution[0], [])
        acted = [_spoken(call.name, call.arguments), _heard(call.name, backend.call(call).content)]
        ended = [_spoken("finish", {"outcome": "done"}), _heard("finish", '{"outcome":"done","finished":true}')]
        yield [*row["prompt"], *acted, *ended, {"role": "assistant", "content": ""}], shown.sets[row["environment"]]


def _spoken(name: str, arguments: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": name, "arguments": dict(arguments)}}]}


def _heard(name: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "name": name, "content": content}


def train_tokenizer(texts: Sequence[str], size: int) -> ChatFormat:
    """A byte-level vocabulary in which an id that was seen is one token, so that it is copied at one stroke; it speaks the student's template."""
    tokenizer = Tokenizer(models.BPE())
    words, bytes_of = pre_tokenizers.Split(Regex(_WORD), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_of])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    )
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in MARKUP])
    template = STUDENT.read_text(encoding="utf-8")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=template)
    return ChatFormat(fast, template)


def make_model(vocabulary: int, width: int, layers: int, tokenizer: Any) -> LlamaForCausalLM:
    """Random weights."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def batch_of(samples: Sequence[Sample]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention and labels (-100 where the assistant does not speak)."""
    longest = max(len(ids) for ids, _ in samples)
    ids = torch.zeros(len(samples), longest, dtype=torch.long)
    attention, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, (tokens, spoken) in enumerate(samples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        attention[row, : len(tokens)] = 1
        labels[row, : len(tokens)] = torch.where(torch.tensor(spoken), torch.tensor(tokens), -100)
    return ids, attention, labels


@torch.no_grad()
def chance(model: Any, samples: Sequence[Sample], size: int = 32) -> float:
    """The mean probability that the model, sampling, says exactly what the solution says: at most what it succeeds with."""
    found = []
    for start in range(0, len(samples), size):
        ids, attention, labels = batch_of(samples[start : start + size])
        scores = model(input_ids=ids, attention_mask=attention).logits[:, :-1].log_softmax(-1)
        wanted = labels[:, 1:]
        said = scores.gather(-1, wanted.clamp(min=0)[..., None])[..., 0] * (wanted >= 0)
        found += said.sum(-1).exp().tolist()
    return sum(found) / len(found)


@dataclass(frozen=True, slots=True)
class Teaching:
    """How a model is warmed up."""

    until: float
    """The chance on held-out tasks that is enough."""
    most: int
    """Steps at most."""
    rate: float = 2e-3
    every: int = 10
    """Steps between two looks at the chance."""
    size: int = 8
    seed: int = 1


def warm_up(model: Any, samples: Sequence[Sample], held: Sequence[Sample], teaching: Teaching) -> list[dict[str, float]]:
    """Teach until the chance is enough; the curve of it.

    Every token is learned, as copying is learned from all that repeats in a conversation.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=teaching.rate, weight_decay=0.01)
    rng = np.random.Generator(np.random.PCG64(teaching.seed))
    curve: list[dict[str, float]] = []
    for step in range(1, teaching.most + 1):
        for group in optimiser.param_groups:
            group["lr"] = teaching.rate * min(1.0, step / (3 * teaching.every))
        ids, attention, _ = batch_of([samples[int(index)] for index in rng.integers(len(samples), size=teaching.size)])
        loss = model(input_ids=ids, attention_mask=attention, labels=torch.where(attention > 0, ids, -100)).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % teaching.every == 0:
            curve.append({"step": step, "loss": loss.item(), "chance": chance(model, held)})
            print(f"warm-up: step {step}, loss {loss.item():.3f}, chance {curve[-1]['chance']:.3f}", file=sys.stderr, flush=True)
            if not math.isfinite(loss.item()) or curve[-1]["chance"] >= teaching.until:
                break
    return curve
