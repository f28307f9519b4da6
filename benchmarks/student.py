"""What a student learns: SmolLM2-135M before and after training on the train fields, measured on the test fields that it never saw.

    python benchmarks/student.py                      # every run below that is not recorded yet
    python benchmarks/student.py main                 # the recipe for two cores and 45 minutes
    python benchmarks/student.py curve-100 curve-300 --tasks 100   # the learning curve, as recorded; its last point is `main`
    python benchmarks/student.py no-lookups no-distractors no-refusals --tasks 100   # ablations of `curve-300`
    python benchmarks/student.py full-0 full-1 full-2 # 5,000 trajectories, three seeds: for one GPU
    python benchmarks/student.py rollouts             # episodes a minute of a student, batched and one at a time

A run is a recipe in recipes/student, one synthtools command a step, in --out: a run that is killed goes on where it was, and one that is
done is not done again. Each is recorded in benchmarks/results/student.json under its name, with the table after and, for `main` and `full`,
before. `--tasks` is how many held-out tasks the tables are over, `--student` whose rollouts are timed, `--batch` how many of them at once. Tables of
all runs go to student.md there, the learning curve to student.png.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import student_page
from measure import RESULTS, machine

from agents.agent import Opening
from agents.choice import Choice, choose_tasks
from agents.episode import begin, episode, play_together
from agents.students.curves import LOG, read_log
from agents.students.local import LocalAgent, LocalSettings, local
from envs import ToolEnv
from envs.worlds import as_worlds
from synthtools.pack import load_pack
from synthtools.replacing import replacing
from synthtools.task import Task

RECIPES = Path(__file__).parent.parent / "recipes" / "student"
RECORD = RESULTS / "student.json"
BASE = "smollm2"
CURVE = ("curve-100", "curve-300", "main")
ABLATIONS = ("no-lookups", "no-distractors", "no-refusals")
FULL = ("full-0", "full-1", "full-2")
"""The recipe `full`, by seed."""
RUNS = (*CURVE, *ABLATIONS, *FULL, "rollouts")
BATCHED, ROUNDS = 16, 3
"""Episodes at once, and how often they and the same ones alone are played."""
PACKAGES = ("torch", "transformers", "trl")
KINDS = ("single", "chain", "several", "question", "conditional", "forbidden", "missing_tool")
"""Kinds of tasks that students are measured on, as recipes take them: those without a user who answers, and without faults."""
POOL = 600
"""Proven tasks of each domain that trajectories are drawn from."""


def synthtools(*arguments: str | Path) -> dict[str, Any]:
    """One command, and the object that it prints."""
    command = [str(Path(sys.executable).with_name("synthtools")), *map(str, arguments), "--json"]
    print("$", " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def prepared(out: Path) -> tuple[Path, Path, dict[str, list[str]]]:
    """The export that students are trained on, the pack that they are measured on, and the fields of each split."""
    tree = synthtools("catalog")["tree"]
    fields: dict[str, list[str]] = {"train": [], "test": []}
    names: dict[str, list[str]] = {"train": [], "test": []}
    for field in tree:
        if field["split"] in fields:
            fields[field["split"]].append(field["field"])
            names[field["split"]] += [subdomain["name"] for subdomain in field["subdomains"]]
    pool, run, test = out / "pool", out / "run", out / "test"
    if not (pool / "manifest.json").exists():
        synthtools("generate", *names["train"], "--out", pool, "--tasks-per-domain", str(POOL))
    if not (test / "manifest.json").exists():
        synthtools("generate", *names["test"], "--out", test)
    if not (run / "export" / "train.jsonl").exists():
        synthtools("rollout", pool, "--agent", "solution", "--out", run)
        synthtools("export", run)
    return run, test, fields


def trained(name: str, out: Path, run: Path) -> dict[str, Any]:
    """The student of a recipe."""
    recipe, _, seed = name.partition("-") if name in FULL else (name, "", "")
    return synthtools("train", "sft", RECIPES / f"{recipe}.yaml", "--data", run, "--out", out / name, *(["--seed", seed] if seed else []))


def seconds_of(rows: Sequence[Mapping[str, float]]) -> float:
    """How long a training took by its log, in which time begins anew where it was killed and went on."""
    times = [row["seconds"] for row in rows]
    return sum(now for now, later in zip(times, [*times[1:], 0.0], strict=True) if later < now)


def measured(name: str, out: Path, tasks: int) -> dict[str, Any]:
    """One object of the record: what was trained, on what, and the table of the test fields before and after."""
    run, test, fields = prepared(out)
    made = trained(name, out, run)
    card = orjson.loads((out / name / "student.json").read_bytes())
    against = () if name in (*CURVE[:-1], *ABLATIONS) else ("--before", BASE)
    table = synthtools(
        *("evaluate", "--model", out / name, *against, "--pack", test, "--kinds", ",".join(KINDS)),
        *("--batch", str(BATCHED), "--tasks", str(tasks), "--out", out / f"measured-{tasks}"),
    )
    after = table["agents"][str(out / name)]
    return {
        "model": BASE,
        "recipe": card["recipe"],
        "data_hash": card["data"]["digest"],
        "data": {key: made[key] for key in ("trajectories", "samples", "tokens", "spoken_tokens")},
        "kinds": card["data"]["kinds"],
        "seeds": {"training": card["recipe"]["seed"], "pool": 0, "tasks": 0},
        "fields": {"trained": fields["train"], "held_out": fields["test"]},
        "loss": made["loss"],
        "training_seconds": seconds_of(read_log(out / name / LOG)),
        "tasks": table["tasks"],
        "kinds_of_tasks": KINDS,
        "tools_shown": table["tools"],
        **({"before": table["before"]} if against else {}),
        "after": after,
        **({"gained": next(iter(table["gained"].values()))} if against else {}),
        "machine": machine(*PACKAGES),
    }


def rollouts(student: str, out: Path, batch: int) -> dict[str, Any]:
    """Episodes a minute of a trained student, the same tasks of the test fields at once and one at a time in turn; nothing was read before."""
    _, test, _ = prepared(out)
    pack = load_pack(test)
    tasks = choose_tasks(pack, Choice(kinds=KINDS, most=batch))
    worlds = as_worlds(pack)
    reader: Any = local(LocalSettings(str(out / student), batch=batch))({})
    envs = [ToolEnv(worlds) for _ in tasks]
    reader.seat(begin(tasks[0], envs[0], 0)[1])  # the weights are read here
    seconds: dict[int, list[float]] = {batch: [], 1: []}
    for _ in range(ROUNDS):
        for size, times in seconds.items():
            agent = LocalAgent(reader.settings, reader.name, reader.identity, reader.loaded)
            begun = time.monotonic()
            for start in range(0, len(tasks), size):
                played = [seated(task, env, agent, pack.digest) for task, env in zip(tasks[start : start + size], envs, strict=False)]
                play_together(agent, played)
            times.append((time.monotonic() - begun) / len(tasks))
    batched, alone = (60 / statistics.median(times) for times in seconds.values())
    return {
        "student": student,
        "batch": batch,
        "episodes_a_minute_batched": batched,
        "episodes_a_minute_alone": alone,
        "ratio": batched / alone,
        "rounds": ROUNDS,
        "machine": machine(*PACKAGES),
    }


def seated(task: Task, env: ToolEnv, agent: Any, pack: str) -> tuple[Any, Opening]:
    """An episode that was begun."""
    observation, opening = begin(task, env, 0)
    return episode(observation, opening, env, pack=pack, agent=agent.identity, trial=0), opening


def record(name: str, found: dict[str, Any]) -> None:
    """Keep one object beside the others, and show them all."""
    RESULTS.mkdir(exist_ok=True)
    others = orjson.loads(RECORD.read_bytes()) if RECORD.exists() else {}
    runs = {**others, name: found}
    runs = {one: runs[one] for one in RUNS if one in runs}
    with replacing(RECORD) as file:
        file.write(orjson.dumps(runs, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    RECORD.with_suffix(".md").write_text(student_page.table(runs), encoding="utf-8")
    student_page.draw(runs, CURVE, RECORD.with_suffix(".png"))


def main() -> None:
    """Make the runs that were asked for, or all that are not recorded; those for a GPU are made where they are named."""
    parser = argparse.ArgumentParser(description="What a student learns.")
    parser.add_argument("runs", nargs="*", help=", ".join(RUNS))
    parser.add_argument("--out", type=Path, default=Path("runs/student"), help="where packs, students and measurements are kept")
    parser.add_argument("--tasks", type=int, default=400, help="held-out tasks that each table is over")
    parser.add_argument("--student", default="main", help="the run whose student `rollouts` lets act; its folder in --out")
    parser.add_argument("--batch", type=int, default=BATCHED, help="episodes that `rollouts` lets it play at once")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    strangers = [name for name in options.runs if name not in RUNS]
    if strangers:
        parser.error(f"{strangers[0]}: no such run; there are {', '.join(RUNS)}")
    there = orjson.loads(RECORD.read_bytes()) if RECORD.exists() else {}
    for name in options.runs or [name for name in (*CURVE, *ABLATIONS, "rollouts") if name not in there]:
        found = rollouts(options.student, options.out, options.batch) if name == "rollouts" else measured(name, options.out, options.tasks)
        record(name, found)
        print(orjson.dumps(found).decode() if options.json else f"{name}: {summary(found)}", flush=True)


def summary(found: dict[str, Any]) -> str:
    """One line for people."""
    if "after" not in found:
        return f"{found['episodes_a_minute_batched']:.2f} episodes a minute batched, {found['episodes_a_minute_alone']:.2f} alone"
    shown = ("right_tool", "exact_call", "irrelevance", "episode_success")
    sides = [found[side] for side in ("before", "after") if side in found]
    return ", ".join(f"{key} {' -> '.join(_percent(side[key]) for side in sides)}" for key in shown)


def _percent(estimate: dict[str, Any]) -> str:
    return "-" if estimate["mean"] is None else f"{100 * estimate['mean']:.1f} %"


if __name__ == "__main__":
    main()
