"""Supervised fine-tuning: what the loss counts, what a kill leaves, what a student's folder holds; with a model of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.lesson import PROMPT, Told
from agents.students.curves import read_log
from agents.students.recipe import Lessons, Lora, RecipeError, Sft, read_recipe
from agents.students.samples import Example, Samples, make_samples, read_examples

torch = pytest.importorskip("torch", reason="training is an extra: pip install 'synthtools[train]'")
pytest.importorskip("trl", reason="training is an extra: pip install 'synthtools[train]'")
from tiny import STOP, save_tiny, weights  # noqa: E402  needs what was asked for above

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SwigPy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*swigvarlink:DeprecationWarning"),
]


# what is trained on


def tool(name: str, *fields: str) -> dict[str, Any]:
    """A schema."""
    parameters = {"type": "object", "properties": {field: {"type": "string", "description": f"The {field}."} for field in fields}, "required": []}
    return {"type": "function", "function": {"name": name, "description": f"Do {name}.", "parameters": parameters}}


TOOLS = [tool("get_box", "box_id"), tool("move_box", "box_id", "shelf"), tool("drop_box", "box_id"), tool("finish", "outcome", "answer", "about")]
NEEDS = json.dumps({"arguments": {"get_box": ["box_id"], "move_box": ["box_id", "shelf"], "finish": ["outcome"]}, "abouts": []})


def row(number: int, **changed: Any) -> dict[str, Any]:
    """A row of an export: a box is looked up, moved, and that is all."""
    box = f"B-{number}"

    def said(text: str, name: str, **arguments: str) -> dict[str, Any]:
        return {"role": "assistant", "content": text, "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}]}

    messages = [
        {"role": "system", "content": "Day 1."},
        {"role": "user", "content": f"Move {box} up {'please ' * (number % 4)}"},
        said("", "get_box", box_id=box),
        {"role": "tool", "name": "get_box", "content": f'{{"box_id": "{box}"}}'},
        said("On it.", "move_box", box_id=box, shelf="S1"),
        {"role": "tool", "name": "move_box", "content": "{}"},
        said(f"{box} is up.", "finish", outcome="done"),
    ]
    labels = {"task": f"boxes/single/{number:04}", "agent": "solution", "trial": 0, "domain": "boxes", "split": "train", "kind": "single"}
    right = {"success": True, "valid": True}
    return {"messages": messages, "tools": json.dumps(TOOLS), "reads": ["get_box"], "needs": NEEDS, **labels, **right, **changed}


def write_rows(path: Path, rows: list[Any]) -> Path:
    """A `train.jsonl`."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in rows))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some thirty thousand random weights over bytes."""
    folder = tmp_path_factory.mktemp("base")
    save_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight conversations."""
    return write_rows(tmp_path_factory.mktemp("data") / "train.jsonl", [row(number) for number in range(8)])


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Example]:
    """The same, read."""
    return read_examples(data)


@pytest.fixture
def recipe(base: Path) -> Sft:
    """Four steps of two samples."""
    return Sft(model=str(base), lessons=Lessons(max_tokens=4000), batch=2, learning_rate=1e-2, save_every=2, precision="fp32")


def changed(recipe: Sft, **settings: Any) -> Sft:
    """The recipe with other settings."""
    return recipe.model_copy(update=settings)


def trainer_of(recipe: Sft, rows: list[Example], out: Path) -> tuple[Any, Samples]:
    """A trainer that has not begun, and its samples."""
    from agents.students.model import load_model
    from agents.students.sft import make_trainer

    torch.manual_seed(0)
    model = load_model(recipe.model, recipe.template, "fp32")
    samples = make_samples(rows, 0, recipe.lessons.shape(), model.format, recipe.seed)
    return make_trainer(recipe, model, samples, out), samples


# the loss


def test_the_loss_counts_what_the_assistant_says(recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """In the batches that the model is given, the labels of each row decode to the assistant's turns, stops included, and to nothing else."""
    trainer, samples = trainer_of(changed(recipe, lessons=Lessons(masked=0, max_tokens=4000)), rows, tmp_path)
    seen = []
    for batch in trainer.get_train_dataloader():
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
            assert torch.equal(labels[labels != -100], ids[labels != -100])
            seen.append(trainer.processing_class.decode(labels[labels != -100]))
    turns = []
    for found in rows:
        asked = '<tool_call>\n{"name": "%s", "arguments": %s}\n</tool_call>' + STOP
        text = ""
        for message in found.told.messages:
            if message["role"] == "assistant":
                function = message["tool_calls"][0]["function"]
                text += (message["content"] + "\n" if message["content"] else "") + asked % (function["name"], json.dumps(function["arguments"]))
        turns.append(text)
    assert sorted(seen) == sorted(turns)
    assert samples.spoken == sum(len(turn.replace(STOP, "#").encode()) for turn in turns)


@pytest.mark.parametrize("lora", [None, Lora(rank=2)], ids=["full", "lora"])
@pytest.mark.parametrize("items", [None, 37])
@pytest.mark.filterwarnings("ignore:`return_outputs=True`:FutureWarning")
def test_the_loss_is_trls(items: int | None, lora: Lora | None, recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """Loss and gradients on a padded batch are those of TRL's own head over all positions, and of its code for outputs that are asked for."""
    from trl import SFTTrainer

    trainer, _ = trainer_of(changed(recipe, lora=lora, batch=4), rows, tmp_path)
    trainer.model.eval()
    batch = next(iter(trainer.get_train_dataloader()))
    assert not batch["attention_mask"].all()
    found = []
    for compute in (type(trainer).compute_loss, SFTTrainer.compute_loss):
        trainer.model.zero_grad()
        loss = compute(trainer, trainer.model, dict(batch), num_items_in_batch=items)
        loss.backward()
        found.append([loss.detach(), *(parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None)])
    assert len(found[0]) > 5
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    whole, _ = trainer.compute_loss(trainer.model, dict(batch), return_outputs=True, num_items_in_batch=items)
    torch.testing.assert_close(whole.detach(), found[0][0], atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
def test_activations_that_are_made_again_change_nothing(recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """With checkpointing, and frozen layers below, the gradients are the same."""
    found = []
    for number, checkpointing in enumerate((False, True)):
        trainer, _ = trainer_of(changed(recipe, checkpointing=checkpointing, frozen=1), rows, tmp_path / str(number))
        if checkpointing:
            trainer.model.gradient_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
        trainer.model.train()
        trainer.compute_loss(trainer.model, dict(next(iter(trainer.get_train_dataloader())))).backward()
        found.append({name: parameter.grad for name, parameter in trainer.model.named_parameters() if parameter.grad is not None})
    assert found[0]
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient)


# killed and resumed


class Killed(Exception):
    """What ends a training at once, where a test wants it."""


def kill_after_saving(monkeypatch: pytest.MonkeyPatch, saved: int) -> None:
    """Every trainer ends when it has written its first checkpoint, at this step."""
    from transformers import TrainerCallback

    from agents.students import sft

    make = sft.make_trainer

    class Kill(TrainerCallback):  # type: ignore[misc]
        """Ends the training."""

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            """One step after the checkpoint, so that there is a line in the log to make again."""
            if state.global_step == saved + 1:
                raise Killed

    def make_short(*arguments: Any) -> Any:
        trainer = make(*arguments)
        trainer.add_callback(Kill())
        return trainer

    monkeypatch.setattr(sft, "make_trainer", make_short)


ACCUMULATED = {"epochs": 2.5, "accumulate": 2}
LATER = {"epochs": 3.0, "batch": 3, "save_every": 5}
"""Killed within an epoch that is not the first."""


@pytest.mark.parametrize(
    "settings",
    [{}, {"precision": "bf16", "learning_rate": 1e-3}, {"precision": "mixed"}, {"lora": Lora(rank=2, dropout=0.5)}, ACCUMULATED, LATER],
    ids=["fp32", "bf16", "mixed", "lora", "accumulated", "later"],
)
def test_a_killed_training_ends_as_an_undisturbed_one(settings: dict[str, Any], recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """Weights are equal to the bit, and so is the log but for its times; a call after the end changes nothing."""
    from agents.students.sft import train_sft

    wanted = changed(recipe, **settings)
    with pytest.MonkeyPatch.context() as patch:
        kill_after_saving(patch, wanted.save_every)
        with pytest.raises(Killed):
            train_sft(wanted, rows, tmp_path / "parts")
    assert [row["step"] for row in read_log(tmp_path / "parts" / "log.jsonl")] == list(range(1, wanted.save_every + 1))
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    parts, whole = train_sft(wanted, rows, tmp_path / "parts"), train_sft(wanted, rows, tmp_path / "whole")
    assert parts.steps == whole.steps > 3
    assert parts.loss == whole.loss
    ours, theirs = weights(tmp_path / "parts"), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    again = train_sft(wanted, rows, tmp_path / "whole")
    assert (again.steps, again.loss) == (whole.steps, whole.loss)
    assert all(torch.equal(theirs[name], tensor) for name, tensor in weights(tmp_path / "whole").items())


def test_a_training_that_diverges_ends_in_one_line(recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """At the step whose loss is no number, which is not logged as something else; nothing is left that looks like a student."""
    from agents.students.curves import Diverged
    from agents.students.sft import train_sft

    for _ in range(2):
        with pytest.raises(Diverged, match=r"step \d+: (?:loss|grad_norm) is nan; begin anew with a lower learning rate"):
            train_sft(changed(recipe, learning_rate=1e38), rows, tmp_path / "wild")
    assert all(loss for _, loss in losses(tmp_path / "wild"))
    assert not (tmp_path / "wild" / "model.safetensors").exists()


def losses(out: Path) -> list[tuple[int, float]]:
    """What the log says of the steps."""
    return [(row["step"], row["loss"]) for row in read_log(out / "log.jsonl") if "loss" in row]


def test_a_checkpoint_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    """The newest whole one by number is taken."""
    from agents.students.folder import last_checkpoint

    assert last_checkpoint(tmp_path) is None
    for name, is_whole in (("checkpoint-9", True), ("checkpoint-10", True), ("checkpoint-11", False)):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        if is_whole:
            (tmp_path / "checkpoints" / name / "trainer_state.json").write_text("{}", encoding="utf-8")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "checkpoint-10"


# the optimiser


def halves(dtype: Any) -> list[Any]:
    """Parameters that bf16 holds exactly, in this precision."""
    torch.manual_seed(1)
    return [torch.nn.Parameter(torch.randn(shape).bfloat16().to(dtype)) for shape in ((7, 5), (5,))]


def groups(parameters: list[Any]) -> list[dict[str, Any]]:
    """As trainers make them: weights decay, biases do not."""
    return [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:], "weight_decay": 0.0}]


def advance(optimiser: Any, parameters: list[Any], steps: int, seed: int) -> None:
    """Some steps by gradients that bf16 holds exactly."""
    torch.manual_seed(seed)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape).bfloat16().to(parameter.dtype)
        optimiser.step()
        optimiser.zero_grad()


@pytest.mark.parametrize("fused", [False, True])
def test_steps_are_those_of_fp32_then_rounded(fused: bool) -> None:
    """After each step the parameters are torch's AdamW in fp32, rounded."""
    from agents.students.optimiser import MasterAdamW

    ours, theirs = halves(torch.bfloat16), halves(torch.float32)
    rounded, exact = MasterAdamW(groups(ours), lr=1e-2, fused=fused), torch.optim.AdamW(groups(theirs), lr=1e-2, fused=fused)
    for number in range(5):
        advance(rounded, ours, 1, number)
        advance(exact, theirs, 1, number)
        assert all(torch.equal(one, other.detach().bfloat16()) for one, other in zip(ours, theirs, strict=True))
        assert all(torch.equal(one, other) for one, other in zip(rounded.masters, theirs, strict=True))
        assert [parameter.grad for parameter in ours] == [None, None]


def test_steps_that_bf16_rounds_away_add_up() -> None:
    """A hundred steps of a millionth move the copies as far as fp32 would, where AdamW on bf16 moves nothing."""
    from agents.students.optimiser import MasterAdamW

    for kind, moves in ((MasterAdamW, True), (torch.optim.AdamW, False)):
        parameter = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
        optimiser = kind([{"params": [parameter]}], lr=1e-4, weight_decay=0.0)
        for _ in range(100):
            parameter.grad = torch.ones_like(parameter)
            optimiser.step()
        assert (parameter.float() < 1).all().item() == moves


def test_a_saved_optimiser_goes_on_exactly(tmp_path: Path) -> None:
    """By way of a file, read with weights only: what follows is equal to the bit, though the parameters given back were rounded."""
    from agents.students.optimiser import MasterAdamW

    ours = halves(torch.bfloat16)
    first = MasterAdamW(groups(ours), lr=1e-4)
    advance(first, ours, 3, 0)
    torch.save(first.state_dict(), tmp_path / "optimizer.pt")
    others = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    second = MasterAdamW(groups(others), lr=1.0)
    second.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    for optimiser, parameters in ((first, ours), (second, others)):
        advance(optimiser, parameters, 3, 9)
    assert all(torch.equal(one, other) for one, other in zip(first.masters, second.masters, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(ours, others, strict=True))


def test_small_learning_rates_reach_the_model(recipe: Sft, rows: list[Example], base: Path, tmp_path: Path) -> None:
    """A whole training in bf16 at a rate that bf16 cannot hold changes weights near one, in the copies and at last in the model."""
    from agents.students.sft import train_sft

    train_sft(changed(recipe, precision="bf16", learning_rate=1e-5, epochs=3.0, warmup=0.0), rows, tmp_path / "out")
    before, after = weights(base), weights(tmp_path / "out")
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    assert any(not torch.equal(before[name].bfloat16(), after[name]) for name in before)
    saved = torch.load(next((tmp_path / "out" / "checkpoints").glob("*/optimizer.pt")), weights_only=True)
    ones = [master for master in saved["masters"] if master.dim() == 1]
    assert ones
    assert all((master != 1).all() and (master.bfloat16() == 1).all() for master in ones)


# which weights


def test_frozen_layers_stay(recipe: Sft, rows: list[Example], base: Path, tmp_path: Path) -> None:
    """The embeddings and the first layer are as they were, and everything above has changed."""
    from agents.students.sft import train_sft

    train_sft(changed(recipe, frozen=1), rows, tmp_path / "out")
    before, after = weights(base), weights(tmp_path / "out")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if "embed_tokens" in name or ".layers.0." in name}


@pytest.mark.parametrize("frozen", [0, 1])
def test_adapters_are_merged(frozen: int, recipe: Sft, rows: list[Example], base: Path, tmp_path: Path) -> None:
    """A LoRA training leaves plain weights, in which the projections have changed, and nothing else; not in frozen layers."""
    from agents.students.sft import train_sft

    train_sft(changed(recipe, lora=Lora(rank=2), frozen=frozen), rows, tmp_path / "out")
    before, after = weights(base), weights(tmp_path / "out")
    assert set(before) == set(after)
    different = {name for name in before if not torch.equal(before[name], after[name])}
    assert different == {name for name in before if "_proj" in name and (not frozen or ".layers.0." not in name)}
    assert not (tmp_path / "out" / "adapter_config.json").exists()


# what is left


def test_a_students_folder_holds_all_there_is_to_know(recipe: Sft, rows: list[Example], base: Path, tmp_path: Path) -> None:
    """Model, tokenizer, log, curve, card and README; loaded again it is spoken to as it was taught, and training it anew begins from it."""
    from agents.students.folder import base_digest
    from agents.students.model import load_model
    from agents.students.sft import train_sft

    done: list[tuple[int, int]] = []
    out = tmp_path / "out"
    trained = train_sft(recipe, rows, out, lambda step, steps: done.append((step, steps)))
    assert done == [(step, 4) for step in range(1, 5)]
    assert {"model.safetensors", "config.json", "tokenizer.json", "log.jsonl", "curve.png", "student.json", "README.md"} <= {
        path.name for path in out.iterdir()
    }
    assert not list(out.rglob("*.part"))
    assert (out / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert [row["step"] for row in read_log(out / "log.jsonl")] == [1, 2, 3, 4]

    card = orjson.loads((out / "student.json").read_bytes())
    assert (card["method"], card["base"], card["base_digest"]) == ("sft", str(base), base_digest(str(base)))
    assert Sft.model_validate(card["recipe"]) == recipe
    assert card["data"]["digest"] == trained.samples.digest
    assert (card["data"]["samples"], card["data"]["kinds"], card["data"]["domains"]) == (8, {"single": 8}, ["boxes"])
    assert (card["steps"], card["loss"]) == (4, trained.loss)
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert all(text in readme for text in (trained.samples.digest, "8 proven trajectories", "curve.png", "torch "))

    taught, back = load_model(recipe.model, recipe.template, "fp32"), load_model(str(out), precision="fp32")
    assert back.shown == {"prompt": PROMPT, "brief": True, "tools": 6}
    assert back.format.template == taught.format.template
    conversation = [*rows[0].told.messages[:2]], json.loads(row(0)["tools"])
    assert back.format.prompt(*conversation) == taught.format.prompt(*conversation)
    assert taught.shown == {}
    assert train_sft(changed(recipe, model=str(out)), rows, tmp_path / "next").steps == 4


def test_the_same_training_elsewhere_is_the_same(recipe: Sft, rows: list[Example], tmp_path: Path) -> None:
    """Two folders, one student: weights and cards are equal; and the loss goes down."""
    from agents.students.sft import train_sft

    longer = changed(recipe, epochs=3.0)
    for name in ("one", "two"):
        train_sft(longer, rows, tmp_path / name)
    assert (tmp_path / "one" / "student.json").read_bytes() == (tmp_path / "two" / "student.json").read_bytes()
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (tmp_path / "two" / "model.safetensors").read_bytes()
    curve = [loss for _, loss in losses(tmp_path / "one")]
    assert curve[-1] < 0.9 * curve[0]


def test_only_what_the_recipe_wants_is_trained_on(recipe: Sft, base: Path) -> None:
    """Rows of other splits never; those that end without a change only where they are wanted; so many as were asked for."""
    from agents.students.samples import DataError
    from agents.students.sft import chosen

    found = [
        Example(f"t{number}", 0, "single", "boxes", split, outcome, frozenset(), Told([], []))
        for number, (split, outcome) in enumerate(
            [("train", "done"), ("train", "impossible"), ("test", "done"), ("train", ""), ("train", "not_allowed")]
        )
    ]
    assert [row.task for row in chosen(found, recipe)] == ["t0", "t1", "t3", "t4"]
    assert [row.task for row in chosen(found, changed(recipe, no_change=False))] == ["t0", "t3"]
    chain = replace(found[0], kind="chain")
    assert chosen([*found, chain], changed(recipe, kinds={"chain": 1.0})) == [chain]
    with pytest.raises(DataError, match="of 1 conversations none is of the train split"):
        chosen(found[2:3], recipe)


def test_what_failed_is_not_learned_from(tmp_path: Path) -> None:
    """Of an export of everything only rows that succeeded and are valid are read; where none is, that is said."""
    from agents.students.samples import DataError

    failed = [row(1, success=False), row(2, valid=False)]
    assert [found.task for found in read_examples(write_rows(tmp_path / "all.jsonl", [*failed, row(3)]))] == [row(3)["task"]]
    with pytest.raises(DataError, match="no conversation that succeeded and is valid"):
        read_examples(write_rows(tmp_path / "all.jsonl", failed))


def test_only_what_finishes_alone_is_followed(rows: list[Example], base: Path) -> None:
    """A last turn with another call beside `finish` ends its lesson, for what came of that call is not known; others are joined."""
    from agents.students.model import load_model

    speech = load_model(str(base), "student", "fp32").format
    shape = replace(Lessons(max_tokens=100_000, requests=4).shape(), masked=0.0)
    beside = []
    for found in rows[:4]:
        *messages, last = found.told.messages
        calls = [{"type": "function", "function": {"name": "move_box", "arguments": {}}}, *last["tool_calls"]]
        beside.append(replace(found, told=replace(found.told, messages=[*messages, {**last, "tool_calls": calls}])))
    assert len(make_samples(rows[:4], 0, shape, speech, 0).samples) == 1
    assert len(make_samples(beside, 0, shape, speech, 0).samples) == 4


def test_kinds_are_drawn_as_readily_as_the_recipe_says(rows: list[Example], base: Path) -> None:
    """Of two kinds of which there are as many, the one of weight 9 is most of what is drawn; and equal weights draw what none draw."""
    from agents.students.model import load_model

    spoken_to, shape = load_model(str(base), "auto", "fp32").format, Lessons(max_tokens=4000).shape()
    both = [replace(row, task=f"{row.task}-{number}", kind=kind) for number in range(10) for row in rows for kind in ("single", "chain")]

    def drawn(weights: dict[str, float]) -> Samples:
        return make_samples(both, 40, shape, spoken_to, 0, weights)

    assert drawn({"single": 9.0, "chain": 1.0}).kinds["single"] > 30 > drawn({}).kinds["single"]
    assert drawn({"single": 2.0, "chain": 2.0}).digest == drawn({}).digest


# what is refused


def say(recipe: str, tmp_path: Path, data: Path, *options: str) -> list[str]:
    """The command line of a training."""
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    return ["train", "sft", str(tmp_path / "recipe.yaml"), "--data", str(data), "--out", str(tmp_path / "out"), *options]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that cannot be done says: one line on stderr, nothing on stdout, exit status 2."""
    from agents.cli import invoke

    assert invoke(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("synthtools: ")
    return said.err


RECIPES: Mapping[str, tuple[str, str]] = {
    "an unknown key": ("epoch: 3", "epoch: no such key; did you mean 'epochs'"),
    "an unknown key inside": ("lessons: {tolls: 3}", "lessons.tolls: no such key; did you mean 'tools'"),
    "an unknown key of lora": ("lora: {rnak: 3}", "lora.rnak: no such key; did you mean 'rank'"),
    "a number that is too small": ("batch: 0", "batch: Input should be greater than or equal to 1"),
    "a share above one": ("warmup: 1.5", "warmup: Input should be less than"),
    "a rate of nothing": ("learning_rate: 0", "learning_rate: Input should be greater than 0"),
    "a rate without end": ("learning_rate: .inf", "learning_rate: Input should be a finite number"),
    "epochs without end": ("epochs: .inf", "epochs: Input should be a finite number"),
    "a rate that is none": ("learning_rate: .nan", "learning_rate: Input should be"),
    "decay without end": ("weight_decay: .inf", "weight_decay: Input should be a finite number"),
    "a seed that is too large": ("seed: 4294967296", "seed: Input should be less than"),
    "text for a number": ("epochs: many", "epochs: Input should be a valid number"),
    "another precision": ("precision: fp8", "precision: Input should be"),
    "a model that is a number": ("model: 3", "model: Input should be a valid string"),
    "a list": ("[1, 2]", "a recipe is a mapping of settings"),
    "text": ("words", "a recipe is a mapping of settings"),
    "no YAML": ("a: [", "is not YAML"),
    "two documents": ("a: 1\n---\nb: 2", "is not YAML"),
    "a number for a key": ("1: 2", "1: "),
    "too many frozen layers": ("frozen: 2", "frozen is 2: the model has 2 layers"),
    "too few tokens": ("lessons: {max_tokens: 40}", "no conversation fits into 40 tokens"),
    "a template that is not there": ("template: nowhere.jinja", "nowhere.jinja: cannot be read"),
    "a template that the model lacks": ("template: own", "give `template: student`"),
}


@pytest.mark.parametrize("case", RECIPES)
def test_bad_recipes_get_one_line(case: str, base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which names the key and what is wrong; exit status 2."""
    text, said = RECIPES[case]
    options = () if text.startswith("model") or not text[0].isalpha() else ("--model", str(base))
    assert said in complaint(say(text, tmp_path, data, *options), capsys)


def test_recipes_that_are_no_files_get_one_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, a folder, or bytes that are no text."""
    arguments = say("", tmp_path, data)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_bytes(b"\xff\xfe\xfa")
    assert str(recipe) in complaint(arguments, capsys)
    recipe.unlink()
    assert str(recipe) in complaint(arguments, capsys)
    recipe.mkdir()
    assert str(recipe) in complaint(arguments, capsys)


DATA: Mapping[str, tuple[list[Any], str]] = {
    "nothing": ([], "holds no conversation"),
    "no JSON": ([row(0), b"{\n"], "train.jsonl:2: is no conversation"),
    "an empty line": ([row(0), b"\n", row(1)], "train.jsonl:2: is no conversation"),
    "OpenAI's form": ([{"messages": row(0)["messages"], "tools": TOOLS}], "train.jsonl:1: is no conversation"),
    "a list": ([[1]], "train.jsonl:1: is no conversation"),
    "no messages": ([row(0, messages=[])], "train.jsonl:1: is no conversation"),
    "messages that are text": ([row(0, messages=["a", "b"])], "train.jsonl:1: is no conversation"),
    "messages without a role": ([row(0, messages=[{"content": "U"}, *row(0)["messages"]])], "train.jsonl:1: is no conversation"),
    "messages without content": ([row(0, messages=[{"role": "user"}, *row(0)["messages"]])], "train.jsonl:1: is no conversation"),
    "content of parts": ([row(0, messages=[{"role": "user", "content": [{"text": "U"}]}])], "train.jsonl:1: is no conversation"),
    "nothing that is said": ([row(0, messages=row(0)["messages"][:2])], "train.jsonl:1: is no conversation"),
    "calls without a name": (
        [row(0, messages=[*row(0)["messages"], {"role": "assistant", "content": "", "tool_calls": [{}]}])],
        "train.jsonl:1: is no",
    ),
    "tools that are a list": ([row(0, tools=TOOLS)], "train.jsonl:1: is no conversation"),
    "tools without a name": ([row(0, tools="[{}]")], "train.jsonl:1: is no conversation"),
    "tools that are no list": ([row(0, tools="{}")], "train.jsonl:1: is no conversation"),
    "another split": ([row(0, split="test")], "of 1 conversations none is of the train split"),
}


@pytest.mark.parametrize("case", DATA)
def test_bad_data_gets_one_line(case: str, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which names the file and the line; exit status 2."""
    lines, said = DATA[case]
    arguments = say("", tmp_path, write_rows(tmp_path / "train.jsonl", lines), "--model", str(base))
    assert said in complaint(arguments, capsys)
    assert said.partition(":")[0] in ("train.jsonl", said.partition(":")[0])


def test_data_that_is_not_there_gets_one_line(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a file nor a folder with one."""
    for place in (tmp_path / "nowhere", tmp_path):
        assert "no export here" in complaint(say("", tmp_path, place, "--model", str(base)), capsys)


def spoil(name: str, content: bytes | None) -> Callable[[Path], None]:
    """How to make a model's folder unusable: a file with other content, or none."""

    def change(folder: Path) -> None:
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)

    return change


MODELS: Mapping[str, Callable[[Path], None]] = {
    "no configuration": spoil("config.json", None),
    "a configuration that is no JSON": spoil("config.json", b"{"),
    "an empty configuration": spoil("config.json", b"{}"),
    "an unknown kind": spoil("config.json", b'{"model_type": "none_such"}'),
    "another shape": lambda folder: spoil("config.json", (folder / "config.json").read_bytes().replace(b'"hidden_size": 32', b'"hidden_size": 48'))(
        folder
    ),
    "no weights": spoil("model.safetensors", None),
    "weights that are none": spoil("model.safetensors", b"nothing"),
    "weights that are cut off": lambda folder: spoil("model.safetensors", (folder / "model.safetensors").read_bytes()[:-100])(folder),
    "no tokenizer": spoil("tokenizer.json", None),
    "a tokenizer that is none": spoil("tokenizer.json", b"{}"),
    "a tokenizer that is no JSON": spoil("tokenizer.json", b"{"),
    "a card that is none": spoil("student.json", b"[1]"),
    "an adapter that is none": spoil("adapter_config.json", b"{}"),
    "an adapter that is no JSON": spoil("adapter_config.json", b"{"),
}


@pytest.mark.filterwarnings("ignore:.*:UserWarning:peft")
@pytest.mark.parametrize("case", MODELS)
def test_bad_models_get_one_line(case: str, base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which names the folder; exit status 2, and nothing is written."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    MODELS[case](folder)
    assert str(folder) in complaint(say("", tmp_path, data, "--model", str(folder)), capsys)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("name", ["", "nowhere", "./nowhere", "/no/where", "a/b/c", "~/nowhere", "no-such-org/no-such-model", "bad name/x y"])
def test_models_that_are_nowhere_get_one_line(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders that are not there, and hub names that cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    assert f"{name}: " in complaint(say("", tmp_path, data, "--model", name), capsys)


@pytest.mark.parametrize("field", ["recipe", "data", "base"])
def test_another_training_in_the_folder_is_refused(field: str, base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another recipe, other data or another model: one line, and what is there stays as it is; where the same model lies does not matter."""
    import shutil

    from agents.cli import invoke

    text = "batch: 2\nprecision: fp32\nlessons: {max_tokens: 4000}"
    assert invoke(say(text, tmp_path, data, "--model", str(base), "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["samples"], said["steps"]) == (8, 4)
    before = (tmp_path / "out" / "model.safetensors").read_bytes()

    other = tmp_path / "model"
    shutil.copytree(base, other)
    assert invoke(say(text, tmp_path, data, "--model", str(other), "--json")) == 0
    capsys.readouterr()
    if field == "base":
        spoil("generation_config.json", b"{}")(other)
    where = write_rows(tmp_path / "train.jsonl", [row(number) for number in range(7)]) if field == "data" else data
    arguments = say(text + ("\nseed: 1" if field == "recipe" else ""), tmp_path, where, "--model", str(other))
    found = complaint(arguments, capsys)
    assert f"another {'data' if field == 'recipe' else field}" in found or f"another {field}" in found
    assert "give a new folder as --out" in found
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


def test_a_folder_that_something_else_claimed_is_refused(data: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A `run.json` that no training wrote is left alone, with a line."""
    (tmp_path / "out").mkdir()
    for content, told in ((b"{", "not what a training writes"), (b"[1]", "not what a training writes"), (b'{"pack": "x"}', "by another command")):
        (tmp_path / "out" / "run.json").write_bytes(content)
        arguments = say("lessons: {max_tokens: 4000}", tmp_path, data, "--model", str(base))
        line = complaint(arguments, capsys)
        assert told in line
        assert "give a new folder as --out" in line
        assert (tmp_path / "out" / "run.json").read_bytes() == content


def test_options_go_before_the_recipe(tmp_path: Path) -> None:
    """What the command line says is what is done; the rest is the recipe's."""
    (tmp_path / "recipe.yaml").write_text("trajectories: 5\nlora: {rank: 3}\n", encoding="utf-8")
    made = read_recipe(tmp_path / "recipe.yaml", Sft, {"trajectories": 7})
    assert (made.trajectories, made.lora) == (7, Lora(rank=3))
    with pytest.raises(RecipeError, match="seed"):
        read_recipe(tmp_path / "recipe.yaml", Sft, {"seed": -1})
