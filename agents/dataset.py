"""Datasets: the trajectories of a run as conversations that trainers take as they are.

Two forms, because the two trainers differ. `train.jsonl` and `train.parquet` are what TRL's SFTTrainer
takes: `arguments` is an object, and `tools` a JSON string (tools differ from row to row, which no common
Arrow type could hold). In Parquet each message is of Arrow's JSON type, which `datasets` reads back as the
object that it was: a struct would put a null for each key that a message lacks, and chat templates stumble.
`openai.jsonl` is OpenAI's fine-tuning format: `arguments` is JSON text, `tools` a list, and no other keys.

`finish` stays the tool call that it was, and the conversation ends with it: that is what a student must do
to end an episode here, and its outcome and what it is about would be lost in a sentence. A turn that was
text alone is text again.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import orjson

from agents.agent import Opening, Turn
from agents.conversation import AsArguments, Conversation, as_object, as_text
from agents.needs import needs_of_task, needs_to_text
from agents.run import Row, RunError
from agents.stored import Stored
from agents.trajectory import Trajectory, turn_fault
from agents.validate import row_of
from envs.offer import Offers, opening_words
from synthtools.pack import Pack
from synthtools.replacing import replacing
from synthtools.task import Task

ROW_GROUP = 1000
"""Rows of one Parquet row group."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    rows: int
    files: Mapping[str, str]
    """File name → SHA-256 of its bytes."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the agent of a task was given before it acted."""

    opening: Opening
    tools: str
    """JSON list of the opening's tools."""
    reads: frozenset[str]
    """Names of the domain's tools that only read."""
    needs: str
    """What the task's solution and its twin's take, as JSON text."""


def export(run: Stored, pack: Pack, out: Path, *, everything: bool = False) -> Exported:
    """Write the run's valid, successful trajectories of the train split; with `everything` all of them, labelled, as `all.*`.

    What a row says is taken from its record and the pack's task. Raises RunError for a trajectory of another pack.
    """
    out.mkdir(parents=True, exist_ok=True)
    stem = "all" if everything else "train"
    where = "TRUE" if everything else "valid AND success"
    givens = Givens(pack)
    parquet = importlib.util.find_spec("pyarrow") is not None
    names = [f"{stem}.jsonl", *([f"{stem}.parquet"] if parquet else []), *([] if everything else ["openai.jsonl"])]
    rows = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context(replacing(out / name)) for name in names}
        columns = stack.enter_context(_parquet(files[f"{stem}.parquet"])) if parquet else _ignore
        for stored in run.rows(where):
            trajectory, row = givens.check(stored)
            if not everything and not (row.success and row.split == "train"):
                continue
            given = givens[trajectory.task]
            example = trl_example(row, trajectory, given)
            files[f"{stem}.jsonl"].write(orjson.dumps(example, option=orjson.OPT_APPEND_NEWLINE))
            columns(example)
            if not everything:
                files["openai.jsonl"].write(orjson.dumps(openai_example(trajectory, given), option=orjson.OPT_APPEND_NEWLINE))
            rows += 1
    return Exported(rows, {name: _digest(out / name) for name in names})


class Givens:
    """What agents are given of a pack's tasks, and rows held against it."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack.digest
        self._tasks: dict[str, Task] = {task.id: task for task in pack.tasks}
        self._domains = pack.domains
        self._offers = {name: Offers(domain) for name, domain in pack.domains.items()}

    def check(self, row: Row) -> tuple[Trajectory, Row]:
        """The record of a row, and the row as the record and the pack's task have it. Raises RunError where they are not of one another."""
        where = f"the trajectory of {row.task} by {row.agent}, trial {row.trial}"
        if row.pack != self._pack or row.task not in self._tasks:
            raise RunError(f"{where}, is of another pack ({row.pack[:12]}) than the run's ({self._pack[:12]}); put the right pack back")
        try:
            trajectory = row.trajectory()
            made = row_of(trajectory, self._tasks[row.task], valid=row.valid, verdict=row.verdict, seconds=row.seconds)
            same = trajectory.key == row.key and made.record == row.record
            fault = "is not what its row says" if not same else turn_fault(trajectory.steps) if row.valid else ""
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault = f"cannot be read ({error})"
        if fault:
            raise RunError(f"{where}: {fault}; `synthtools validate` lists what is not true in a run")
        return trajectory, made

    def __getitem__(self, name: str) -> Given:
        """What the agent of one task was given."""
        task = self._tasks[name]
        offer, domain = self._offers[task.domain].of(task), self._domains[task.domain]
        opening = Opening(name, opening_words(domain, task).rstrip(), task.request, offer.tools, 0)
        needs = needs_to_text(needs_of_task(task, self._tasks.get(task.twin)))
        return Given(opening, offer.text, frozenset(name for name, tool in domain.tools.items() if tool.read_only), needs)


def trl_example(row: Row, trajectory: Trajectory, given: Given) -> dict[str, Any]:
    """One row for TRL: `messages`, `tools`, and labels, which trainers leave aside.

    `reads` names the called tools that only read; `needs` is what a choice of tools must keep, so that it does not tell how the task ends.
    """
    return {
        "messages": conversation(trajectory, given, as_object),
        "tools": given.tools,
        "reads": [name for name in dict.fromkeys(step.call.name for step in trajectory.steps) if name in given.reads],
        "needs": given.needs,
        **{"task": row.task, "agent": row.agent, "trial": row.trial, "domain": row.domain, "split": row.split, "kind": row.kind},
        **{"success": row.success, "valid": row.valid, "reward": row.reward, "reason": row.verdict or row.reason},
    }


def openai_example(trajectory: Trajectory, given: Given) -> dict[str, Any]:
    """One line for OpenAI's fine-tuning: `messages` and `tools`, nothing else."""
    return {"messages": conversation(trajectory, given, as_text), "tools": orjson.Fragment(given.tools)}


def conversation(trajectory: Trajectory, given: Given, arguments: AsArguments) -> list[dict[str, Any]]:
    """System, user, then the turns as they were; `arguments` gives a call's arguments the form a trainer wants.

    Results of the last turn were never seen, and are left out.
    """
    told = Conversation(given.opening, "", arguments, named=True)
    for number, group in groupby(trajectory.steps, key=lambda step: step.turn):
        steps = tuple(group)
        told.take(Turn(tuple(step.call for step in steps), steps[0].text, spoken=steps[0].spoken))
        if number != trajectory.steps[-1].turn or trajectory.ending is None:
            told.hear([step.result.content for step in steps])
    return told.messages


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Takes rows, writes them as Parquet in groups of `ROW_GROUP`."""
    import pyarrow as pa  # an extra
    import pyarrow.parquet as pq

    plain, typed = _schema(pa, pa.string()), _schema(pa, pa.json_())
    waiting: list[Mapping[str, Any]] = []
    with pq.ParquetWriter(file, typed, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(waiting, schema=plain).cast(typed))
            waiting.clear()

        def take(example: Mapping[str, Any]) -> None:
            waiting.append({**example, "messages": [orjson.dumps(message).decode() for message in example["messages"]]})
            if len(waiting) == ROW_GROUP:
                flush()

        yield take
        if waiting:
            flush()


def _schema(pa: Any, message: Any) -> Any:
    """The columns; `message` is the Arrow type of one message."""
    text = pa.string()
    labels = [(name, text) for name in ("task", "agent")] + [("trial", pa.int64())] + [(name, text) for name in ("domain", "split", "kind")]
    judged = [("success", pa.bool_()), ("valid", pa.bool_()), ("reward", pa.float64()), ("reason", text)]
    return pa.schema([("messages", pa.list_(message)), ("tools", text), ("reads", pa.list_(text)), ("needs", text), *labels, *judged])


def _ignore(example: Mapping[str, Any]) -> None:
    """Without pyarrow there is no Parquet."""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
