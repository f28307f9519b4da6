"""A grade, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.cli.output import counted, print_line, print_table

Grade = Mapping[str, Any]


def print_grade(data: Mapping[str, Any]) -> None:
    """Agents side by side: success, chances over trials, how they went about it, kinds, difficulty, causes of failure, and what it took."""
    agents: Mapping[str, Grade] = data["agents"]
    suite = data["suite"]
    version = f" {suite['version']}" if suite["version"] else ""
    print_line(
        f"{suite['name']}{version}: {counted(suite['tasks'], 'task')}, {counted(data['trials'], 'trial')} each; tasks' digest {suite['digest'][:12]}"
    )
    _rows(agents, "Success", "", _success_rows(agents, data["trials"]))
    _rows(agents, "How they went about it", "", _manner_rows(agents))
    for key in ("field", "kind", "difficulty"):
        _rows(agents, f"Success by {key}", key, _group_rows(agents, f"by_{key}"))
    causes = dict.fromkeys(code for grade in agents.values() for code in grade["causes"])
    if causes:
        rows = [(code.replace("_", " "), [grade["causes"].get(code, 0) for grade in agents.values()]) for code in causes]
        _rows(agents, "Causes of failure", "episodes", rows)
    if "user" in data:
        tokens, money = data["user"]["tokens"], data["user"]["money"]
        taken = f"tokens of prompts and completions: {'-' if tokens is None else f'{tokens:,}'}; money: {'-' if money is None else f'{money:.4f}'}"
        print_line(f"The users were played by a model; {taken}.")
    for compared in data["compared"]:
        difference, p = _share(compared["difference"]), compared["p"]
        if p is not None:
            print_line(f"{compared['after']} against {compared['before']}: {difference}, p {'< 0.001' if p < 0.001 else f'{p:.3f}'}")
    print_line("In brackets the 95 % interval, by a bootstrap over domains and their tasks: how it could come out in other domains like these.")
    if data["compared"]:
        print_line("p: the chance of such a difference, were both alike in each of these domains, with tasks independent there.")


def _rows(agents: Mapping[str, Grade], title: str, first: str, rows: Sequence[tuple[str, Sequence[object]]]) -> None:
    print_table(title, (first, *agents), [[name, *cells] for name, cells in rows])


def _success_rows(agents: Mapping[str, Grade], trials: int) -> list[tuple[str, list[object]]]:
    grades = agents.values()
    rows: list[tuple[str, list[object]]] = [("success", [_share(grade["success"]) for grade in grades])]
    shown = [str(k) for k in range(2, trials + 1)]
    rows += [(f"pass@{k}: one of {k} right", [_percent(grade["pass_at_k"][k]) for grade in grades]) for k in shown]
    rows += [(f"pass^{k}: all of {k} right", [_percent(grade["pass_hat_k"][k]) for grade in grades]) for k in shown]
    rows.append(("episodes", [grade["success"]["n"] for grade in grades]))
    rows.append(("unscored", [grade["unscored"] for grade in grades]))
    return rows


def _group_rows(agents: Mapping[str, Grade], key: str) -> list[tuple[str, list[object]]]:
    groups = {group for grade in agents.values() for group in grade[key]}
    ordered = sorted(groups, key=lambda group: (int(group) if group.isdigit() else 0, group))
    return [(group, [_percent(grade[key].get(group, {}).get("mean")) for grade in agents.values()]) for group in ordered]


def _manner_rows(agents: Mapping[str, Grade]) -> list[tuple[str, list[object]]]:
    grades = agents.values()
    names = {
        "calls to the reference's, where it succeeded": "calls_ratio",
        "calls that came to an error": "error_rate",
        "episodes with an error that succeeded": "recovery_rate",
        "calls that came to a fault of the service": "faults",
        "episodes with such a fault that succeeded": "fault_recovery_rate",
        "calls of tools that there are not": "hallucinated_tools",
        "arguments and ids made up": "hallucinated_arguments",
        "episodes that broke a policy": "violations",
        "rows changed that nobody asked for": "collateral",
    }
    rows: list[tuple[str, list[object]]] = [(words, [_figure(key, grade[key]) for grade in grades]) for words, key in names.items()]
    taken = {"calls": "calls", "tokens": "tokens of prompts and completions", "completion_tokens": "tokens of completions, where scored"}
    taken |= {"money": "money", "seconds": "seconds"}
    return [*rows, *((words, [_figure(key, grade["cost"][key]) for grade in grades]) for key, words in taken.items())]


def _figure(key: str, value: float | None) -> object:
    if key.endswith("_rate"):
        return _percent(value)
    return "-" if value is None else value if isinstance(value, int) else f"{value:,.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _share(estimate: Mapping[str, Any]) -> str:
    if estimate["mean"] is None:
        return "-"
    return f"{100 * estimate['mean']:.1f} % ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"
