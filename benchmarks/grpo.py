"""What GRPO over our environments does: a tiny model's reward over its run, real steps of SmolLM2, and what our layer costs of a step.

    python benchmarks/grpo.py tiny [--out DIR] [--json] [--record]
    python benchmarks/grpo.py smollm2 --model DIR [--json] [--record]
    python benchmarks/grpo.py overhead --model DIR [--json] [--record]

`tiny` makes everything itself, vocabulary included, teaches until the chance of a right episode is between the two dead ends (no reward at
all, nothing but reward), and reinforces on other tasks. `smollm2` takes a folder with the converted model, teaches it a few steps, and makes
two steps of GRPO. `overhead` takes the folder of `tiny`, and runs trainers over our environments and over a bare class with the same signatures
in turn. Everything is sampled, executed and rewarded for real; with --record, figures go to benchmarks/results/grpo.json under their command's name.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
import yaml
from measure import RESULTS, emit, machine
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from warmup import Sample, Teaching, chance, lessons, make_model, simple_tasks, train_tokenizer, warm_up

from agents.students import grpo as method
from agents.students.curves import read_log
from agents.students.format import STUDENT, ChatFormat, chat_format
from agents.students.recipe import Grpo
from agents.students.showing import show
from envs.worlds import worlds_of
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.pack import save_pack
from synthtools.task import Task

RECIPE = Path(__file__).parent.parent / "recipes" / "grpo-tiny.yaml"
DOMAIN = "building_upkeep"
WIDTH, LAYERS, VOCABULARY = 128, 3, 3000
CHANCE, MOST = 0.25, 1200
"""Taught until the chance is this, or for so many steps."""


def tiny(out: Path, record: bool) -> dict[str, Any]:
    """The whole way from nothing to a model that was reinforced, and its reward on that way."""
    begun = time.monotonic()
    domain = load_domain(DOMAIN)
    taught, held, played = (simple_tasks(domain, count, seed) for count, seed in ((1000, 11), (32, 12), (200, 13)))
    recipe = tiny_recipe(out, domain, played)
    spoken = train_tokenizer(rendered(taught, domain, recipe), VOCABULARY)
    samples, held_out = (dressed(tasks, domain, recipe) for tasks in (taught, held))
    short, short_held = ([spoken.sample(*copied(lesson)) for lesson in some] for some in (samples, held_out))
    first_calls = [spoken.sample(*called(lesson)) for lesson in held_out]
    samples, held_out = ([spoken.sample(*lesson) for lesson in some] for some in (samples, held_out))
    torch.manual_seed(0)
    model = make_model(len(spoken.tokenizer), WIDTH, LAYERS, spoken.tokenizer)
    prepared = time.monotonic()
    copying = warm_up(model, short, short_held, Teaching(0.5, MOST, size=24, every=20))
    curve = warm_up(model, samples, held_out, Teaching(CHANCE, MOST, rate=1e-3))
    warm, before = time.monotonic(), chance(model, first_calls)
    model.save_pretrained(recipe.model)
    spoken.tokenizer.save_pretrained(recipe.model)
    trained = method.grpo(recipe, out / "student", lambda step, steps: print(f"grpo: step {step} of {steps}", flush=True) if step % 10 == 0 else None)
    ended = time.monotonic()
    rewards = [row["reward"] for row in read_log(out / "student" / "log.jsonl")]
    if record:
        shutil.copy(out / "student" / "curve.png", RESULTS / "grpo.png")
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "copying": copying,
        "warm_up": curve,
        "held_out_call": [before, chance(AutoModelForCausalLM.from_pretrained(out / "student"), first_calls)],
        "rewards": rewards,
        **trend(rewards),
        "tasks": trained.tasks,
        "environments": trained.environments,
        "seconds": {"prepare": prepared - begun, "warm_up": warm - prepared, "grpo": ended - warm, "all": ended - begun},
    }


def tiny_recipe(out: Path, domain: Domain, tasks: Sequence[Task]) -> Grpo:
    """The recipe file, for a pack of these tasks."""
    save_pack(out / "pack", {domain.name: domain}, tasks, dropped={}, seed=0)
    return Grpo(model=str(out / "warm"), pack=str(out / "pack"), **yaml.safe_load(RECIPE.read_text(encoding="utf-8")))


def dressed(tasks: Sequence[Task], domain: Domain, recipe: Grpo) -> list[Any]:
    """The tasks' solutions as conversations with tools, shown as the recipe shows them."""
    shown = show(tasks, {}, worlds_of(tasks, {domain.name: domain}), recipe.showing(), recipe.seed)
    return list(lessons(tasks, shown, domain))


def called(lesson: Any) -> Any:
    """What is asked, with its tools, and the call. How an episode is ended is left out: a turn without a call ends one as well as `finish` does."""
    messages, tools = lesson
    return messages[: 2 + next(number for number, message in enumerate(messages) if message["role"] == "user")], tools


def copied(lesson: Any) -> Any:
    """The start of a lesson without its tools: what is asked, the call, the result. It teaches to copy, in a quarter of the tokens."""
    messages, _ = lesson
    start = next(number for number, message in enumerate(messages) if message["role"] == "user")
    return messages[start : start + 3], ()


def rendered(tasks: Sequence[Task], domain: Domain, recipe: Grpo) -> list[str]:
    """What conversations look like, for a vocabulary to be made from."""
    blank = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="<|im_end|>")
    template = STUDENT.read_text(encoding="utf-8")
    conversations = dressed(tasks, domain, recipe)
    return [blank.apply_chat_template(messages, tools=list(tools), chat_template=template, tokenize=False) for messages, tools in conversations]


def trend(rewards: Sequence[float]) -> dict[str, Any]:
    """Means of the first and last fifth, a bootstrap interval of the rise, and Spearman's correlation with the step, with its p by permutation."""
    rng = np.random.Generator(np.random.PCG64(0))
    fifth = len(rewards) // 5
    first, last = np.array(rewards[:fifth]), np.array(rewards[-fifth:])
    risen = [rng.choice(last, fifth).mean() - rng.choice(first, fifth).mean() for _ in range(10_000)]
    ranks, steps = _ranks(np.array(rewards)), np.arange(len(rewards))
    rho = np.corrcoef(ranks, steps)[0, 1]
    by_chance = sum(np.corrcoef(rng.permutation(ranks), steps)[0, 1] >= rho for _ in range(10_000))
    return {
        "first_fifth": float(first.mean()),
        "last_fifth": float(last.mean()),
        "risen_95": [float(bound) for bound in np.percentile(risen, [2.5, 97.5])],
        "spearman": float(rho),
        "spearman_p": float(by_chance + 1) / 10_001,
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, those of equal values shared."""
    return np.array([(values < value).sum() + ((values == value).sum() - 1) / 2 for value in values])


def smollm2(model: str) -> dict[str, Any]:
    """A few steps of teaching, then two of GRPO, with all weights."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        domain = load_domain(DOMAIN)
        taught, played = simple_tasks(domain, 64, 11), simple_tasks(domain, 16, 13)
        settings = {"steps": 2, "generations": 4, "batch": 8, "max_tokens": 256, "learning_rate": 1e-5, "save_every": 2}
        recipe = tiny_recipe(out, domain, played).model_copy(update=settings)
        tokenizer, taken = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        speech: ChatFormat = chat_format(tokenizer)
        samples: list[Sample] = [speech.sample(*lesson) for lesson in dressed(taught, domain, recipe)]
        begun = time.monotonic()
        curve = warm_up(taken, samples, samples[:8], Teaching(0.3, 12, rate=1e-4, every=2, size=4))
        warm = time.monotonic()
        taken.save_pretrained(recipe.model)
        tokenizer.save_pretrained(recipe.model)
        before = {name: weight.detach().clone() for name, weight in taken.named_parameters()}
        method.grpo(recipe, out / "student")
        after = dict(AutoModelForCausalLM.from_pretrained(out / "student", dtype=torch.float32).named_parameters())
        kept = ("step", "reward", "reward_std", "grad_norm", "step_time", "tools/call_frequency", "episode/finished", "episode/seconds")
        rows = [{name: row.get(name) for name in kept} for row in read_log(out / "student" / "log.jsonl")]
        changed = sum(int((before[name] != after[name]).sum()) for name in before)
        return {"warm_up": curve, "warm_up_seconds": warm - begun, "steps": rows, "weights_changed": changed}


def overhead(folder: Path, rounds: int = 5, steps: int = 4) -> dict[str, Any]:
    """Steps over our environments and over bare ones in turn, with the warmed-up model, which learns next to nothing meanwhile."""
    data = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    recipe = Grpo(**{**data, "model": str(folder / "warm"), "pack": str(folder / "pack"), "steps": steps, "learning_rate": 1e-12})
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    shares: list[float] = []
    for _ in range(rounds):
        for name, times_of in times.items():
            with tempfile.TemporaryDirectory() as out:
                rows = _timed(recipe, Path(out), bare=name == "bare")[1:]
            times_of += [row["step_time"] for row in rows]
            shares += [row["episode/seconds"] / row["step_time"] for row in rows if "episode/seconds" in row]
    ours, bare = (statistics.median(times[name]) for name in ("ours", "bare"))
    return {
        "ours_seconds": ours,
        "bare_seconds": bare,
        "added": ours / bare - 1,
        "share_by_clock": statistics.median(shares),
        "steps_each": len(times["ours"]),
    }


def _timed(recipe: Grpo, out: Path, *, bare: bool) -> list[dict[str, Any]]:
    make, score = method.make_environment, method.executed
    if bare:
        method.make_environment = lambda name, tools, pool, rewards: _bare(make(name, tools, pool, rewards=rewards))
        method.executed = lambda completions, **rest: [float(number % 2) for number, _ in enumerate(completions)]
    try:
        method.grpo(recipe, out / "student")
    finally:
        method.make_environment, method.executed = make, score
    return read_log(out / "student" / "log.jsonl")


def _bare(ours: type) -> type:
    """The same signatures, with nothing behind them."""
    members: dict[str, Any] = {"reset": lambda self, **row: None}
    for name, method_of in vars(ours).items():
        if not name.startswith("_") and name != "reset":
            members[name] = _constant(method_of)
    return type(ours.__name__, (), members)


def _constant(ours: Any) -> Any:
    def call(self: Any, /, **arguments: Any) -> str:
        return '{"id":"PL179","building":"BD40","state":"in_use"}' if ours.__name__ != "finish" else '{"outcome":"done","finished":true}'

    call.__name__, call.__doc__, call.__annotations__ = ours.__name__, ours.__doc__, ours.__annotations__
    call.__signature__ = ours.__signature__
    return call


def main() -> None:
    """Run one of the three, beside what the others have left."""
    parser = argparse.ArgumentParser(description="GRPO over our environments.")
    parser.add_argument("what", choices=["tiny", "smollm2", "overhead"])
    parser.add_argument("--model", default="", help="smollm2: the model's folder; overhead: the folder of tiny")
    parser.add_argument("--out", default="", help="where tiny leaves its models; a temporary folder if not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    out = Path(options.out or tempfile.mkdtemp(prefix="synthtools-grpo-"))
    runs = {"tiny": lambda: tiny(out, options.record), "smollm2": lambda: smollm2(options.model), "overhead": lambda: overhead(Path(options.model))}
    result = runs[options.what]()
    recorded = RESULTS / "grpo.json"
    others = orjson.loads(recorded.read_bytes()) if recorded.exists() else {}
    result = {**result, "threads": options.threads, "machine": machine("torch", "transformers", "trl")}
    emit("grpo", {**others, options.what: result} if options.record else result, as_json=options.json, record=options.record)


if __name__ == "__main__":
    main()
