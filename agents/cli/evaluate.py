"""`synthtools evaluate`: what agents do at every decision, and in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agents.cli.output import BadInput, Failed, Json, Seed, Trust, make_folder, print_json, print_line, print_table, progress
from agents.cli.rollout import find_pack
from agents.cli.train import refuse_without_packages

if TYPE_CHECKING:
    from agents.agent import Maker
    from agents.evaluation.interval import Estimate
    from agents.evaluation.probe import Probed

Models = Annotated[list[str] | None, typer.Option("--model", help="A model on this machine: `smollm2`, a folder or a hub name. May be repeated.")]
Agents = Annotated[list[str] | None, typer.Option("--agent", help="Any other agent, as `rollout` takes it. May be repeated.")]
Before = Annotated[str | None, typer.Option("--before", help="The model that the others are held against: the same tables, and what was gained.")]
Fields = Annotated[list[str] | None, typer.Option("--fields", help="Fields or subdomains, repeated or with commas; all of the split if none.")]
Kinds = Annotated[list[str] | None, typer.Option("--kinds", help="Kinds of tasks, repeated or with commas; all if none.")]


def evaluate(
    pack: Annotated[Path, typer.Option("--pack", file_okay=False, help="A pack, or the folder of a run.")],
    models: Models = None,
    agents: Agents = None,
    before: Before = None,
    fields: Fields = None,
    kinds: Kinds = None,
    split: Annotated[Literal["train", "validation", "test", "all"], typer.Option(help="Which split's tasks.")] = "test",
    tasks: Annotated[int, typer.Option("--tasks", min=0, help="How many are drawn, spread over domains and kinds; 0: all.")] = 400,
    tools: Annotated[int | None, typer.Option("--tools", min=0, help="Tools shown, at most; 0: all; as the student was taught if not given.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of one turn of a model.")] = 128,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Episodes of a model at once.")] = 32,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="Keeps every task's result; the same command goes on there.")] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Score agents at every decision of held-out tasks, and let them play the tasks themselves."""
    names = [*([before] if before else []), *(models or []), *(agents or [])]
    if not names:
        raise BadInput("no agent to evaluate: give --model or --agent")
    from agents.agent import OutOfBudget
    from agents.choice import Choice
    from agents.evaluation.evaluate import View, prepare
    from agents.evaluation.evaluate import evaluate as run_all
    from synthtools.pack import load_pack

    makers = {name: _maker(name, agents or [], max_tokens, batch) for name in names}
    shown = _shown(models or [])
    view = View(shown.get("tools", 0) if tools is None else tools, bool(shown.get("brief", False)))
    evaluation = prepare(load_pack(find_pack(pack), trust=trust), Choice(split, _listed(fields), _listed(kinds), most=tasks, seed=seed), view)
    if out:
        make_folder(out)
    results: dict[str, list[Probed]] = {}
    for name, maker in makers.items():
        try:
            with progress(f"evaluating {Path(name).name}") as update:
                results[name] = run_all(evaluation, maker, out, update)
        except (ConnectionError, OutOfBudget) as error:
            kept = f"what was done is in {out}, and the same command goes on there" if out else "nothing is kept without --out"
            raise Failed(f"--agent {name}: {error}; {kept}") from None
    data = {**report(results, before), "tools": view.tools, "brief": view.brief, "pack": evaluation.settings["pack"], "tasks": len(evaluation.tasks)}
    if as_json:
        print_json(data)
    else:
        print_tables(data)


def report(results: Mapping[str, Sequence[Probed]], before: str | None) -> dict[str, Any]:
    """The keys that scripts rely on: those of the first agent that is not `before` at the top, and every agent's under `agents`."""
    from agents.evaluation.table import gains

    each = {name: summary(probes) for name, probes in results.items()}
    first = next((name for name in each if name != before), next(iter(each)))
    compared = {name: _plain(gains(results[before], results[name])) for name in results if before and name != before}
    return {**each[first], "agent": first, "agents": each, **({"before": each[before], "gained": compared} if before else {})}


def summary(probes: Sequence[Probed]) -> dict[str, Any]:
    """One agent's table, by kind and length too, and its failures."""
    from agents.evaluation.table import band, ends, failures, grouped, single_calls, table

    return {
        **_plain(table(probes)),
        "single_calls": asdict(single_calls(probes)),
        "by_kind": {name: _plain(part) for name, part in grouped(probes, lambda probed: probed.kind).items()},
        "by_length": {name: _plain(part) for name, part in grouped(probes, lambda probed: band(probed.length)).items()},
        "by_field": {name: _plain(part) for name, part in grouped(probes, lambda probed: probed.field).items()},
        "failures": [asdict(failure) for failure in failures(probes)],
        "ends": ends(probes),
    }


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}


def _listed(names: list[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for name in names or () for part in name.split(",") if part.strip())


def _shown(models: Sequence[str]) -> dict[str, Any]:
    """How lessons were shown to the first of the students."""
    if not models:
        return {}
    from agents.students.model import find_model, read_shown

    return read_shown(find_model(models[0]))


def _maker(name: str, agents: Sequence[str], max_tokens: int, batch: int) -> Maker:
    if name in agents:
        from agents.cli.maker import make_maker

        return make_maker(name)
    refuse_without_packages()
    from agents.students.local import LocalSettings, local

    return local(LocalSettings(name, max_tokens=max_tokens, batch=batch))


def print_tables(data: Mapping[str, Any]) -> None:
    """Agents side by side, then by kind and length, and the commonest failures of the first."""
    from agents.evaluation.table import METRICS

    agents = data["agents"]
    columns = ["", *map(_short, agents)]
    rows = [[metric.replace("_", " "), *(_cell(each[metric]) for each in agents.values())] for metric in METRICS]
    print_table(f"{data['tasks']} tasks", columns, rows)
    for key in ("by_kind", "by_length"):
        groups = sorted({group for each in agents.values() for group in each[key]})
        rows = [[group, *(_cell(each[key][group]["episode_success"]) for each in agents.values())] for group in groups]
        print_table(f"Success {key.replace('_', ' ')}", columns, rows)
    print_line(f"\nCommonest mistakes of {_short(data['agent'])}")
    for failure in data["failures"]:
        print_line(f"  {failure['count']:>5}  {failure['fault']}")
        for example in failure["examples"][:1]:
            print_line(f"         {example['task']}: {example['did'][:100]}  instead of  {example['wanted'][:100]}")


def _short(name: str) -> str:
    return Path(name).name


def _cell(estimate: Mapping[str, Any]) -> str:
    if estimate["mean"] is None:
        return "-"
    return f"{100 * estimate['mean']:.1f} % ({100 * estimate['low']:.1f}-{100 * estimate['high']:.1f}, n {estimate['n']})"
