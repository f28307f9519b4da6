"""Who can do what: a small model as it comes beside the reference, chance, doing nothing and a few rules, on the suites.

    python benchmarks/subjects.py [--suites core hard] [--agents solution rule … recipes/subjects/smollm2.yaml] [--out DIR] [--workers N] [--record]

One `synthtools bench` a suite, in --out, where a run that is killed goes on. With --record, the grades go to benchmarks/results/subjects.json,
beside those of other suites, and the table to benchmarks/results/subjects.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from measure import RESULTS, machine

from synthtools.replacing import replacing

SUITES = ("core", "hard")
MODEL = Path(__file__).parent.parent / "recipes" / "subjects" / "smollm2.yaml"
AGENTS = ("solution", "rule", str(MODEL), "random", "finish")
KEPT = (
    *("success", "by_kind", "by_difficulty", "by_field", "causes", "calls_ratio", "error_rate"),
    *("hallucinated_tools", "hallucinated_arguments", "violations", "collateral"),
)
"""What is recorded of a grade."""


def graded(suite: str, agents: list[str], out: Path, workers: int) -> dict[str, Any]:
    """The grade of these agents at a suite."""
    named = [part for agent in agents for part in ("--agent", agent)]
    command = [str(Path(sys.executable).with_name("synthtools")), "bench", *named, "--suite", suite]
    command += ["--out", str(out / suite), "--workers", str(workers), "--json"]
    print("$", " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    grade = orjson.loads(done.stdout)
    agents_kept = {name: {key: one[key] for key in KEPT} for name, one in grade["agents"].items()}
    return {"suite": grade["suite"], "agents": agents_kept, "compared": grade["compared"]}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row an agent, success on each suite with its interval, and the commonest causes of failure on the first."""
    first = next(iter(results.values()))
    heads = [f"{name} (version {result['suite']['version']})" for name, result in results.items()]
    lines = ["| agent |" + "".join(f" {head} |" for head in heads) + f" why it fails on {next(iter(results))} |", "|---|" + "---|" * (len(heads) + 1)]
    for agent in sorted(first["agents"], key=lambda name: -first["agents"][name]["success"]["mean"]):
        cells = [_share(result["agents"][agent]["success"]) if agent in result["agents"] else "-" for result in results.values()]
        causes = sorted(first["agents"][agent]["causes"].items(), key=lambda pair: -pair[1])[:3]
        why = ", ".join(f"{cause.replace('_', ' ')} {count}" for cause, count in causes) or "-"
        lines.append(f"| {agent} |" + "".join(f" {cell} |" for cell in cells) + f" {why} |")
    return "\n".join(lines) + "\n"


def _share(estimate: dict[str, float]) -> str:
    mean, low, high = (100 * estimate[key] for key in ("mean", "low", "high"))
    return f"{mean:.1f} % ({low:.1f}-{high:.1f})"


def record(results: dict[str, dict[str, Any]]) -> None:
    """Keep these suites' grades beside those of others, and show them all."""
    path = RESULTS / "subjects.json"
    kept = dict(sorted({**(orjson.loads(path.read_bytes()) if path.exists() else {}), **results}.items()))
    with replacing(path) as file:
        file.write(orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    path.with_suffix(".md").write_text(table(kept), encoding="utf-8")


def main() -> None:
    """Grade the agents, and print the table."""
    parser = argparse.ArgumentParser(description="Who can do what.")
    parser.add_argument("--suites", nargs="+", default=list(SUITES))
    parser.add_argument("--agents", nargs="+", default=list(AGENTS), help="as `synthtools bench --agent` takes them")
    parser.add_argument("--out", type=Path, default=Path("runs/subjects"))
    parser.add_argument("--workers", type=int, default=0, help="as `synthtools bench` takes them")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {suite: graded(suite, options.agents, options.out, options.workers) for suite in options.suites}
    if options.record:
        record({suite: {**result, "machine": machine()} for suite, result in results.items()})
    print(orjson.dumps(results).decode() if options.json else table(results))


if __name__ == "__main__":
    main()
