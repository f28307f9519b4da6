"""The part of the README that shows a domain, a task and a trajectory in one screen, made by running them.

Run as a script it writes the part into README.md: `make page`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
from synthtools.stream import TaskStream

import envs  # noqa: F401 - registers the environments
from synthtools.domain import Domain
from synthtools.goal import Change
from synthtools.load import load_domain
from synthtools.task import Task, resolve
from synthtools.tool import Tool, ToolCall

README = Path(__file__).parent.parent / "README.md"
START = "<!-- page: written by `make page` -->"
END = "<!-- end of page -->"
DOMAIN, TOOL, POLICY, ENV = "marina_berths", "check_out", "deposit", "synthtools/MarinaBerths-v0"
WIDTH = 116


def page() -> str:
    """The part, in Markdown."""
    env: Any = gymnasium.make(ENV).unwrapped
    env.reset(seed=0, options={"task": choose(TaskStream(load_domain(DOMAIN), 0))})
    lines = [*about_domain(env.domain), "", *about_task(env.task), "", *about_trajectory(env)]
    env.close()
    return "```text\n" + "\n".join(line.rstrip() for line in lines) + "\n```"


def choose(tasks: TaskStream) -> Task:
    """The first chain of four to six calls whose goal adds a row: long enough to be one, short enough for a screen."""
    for task in map(tasks.__getitem__, range(len(tasks))):
        changes = task.goal.alternatives[0].changes
        if task.kind == "chain" and 4 <= len(task.solution) <= 6 and any(change.op == "insert" for change in changes):
            return task
    raise LookupError(f"no chain of four to six calls among the tasks of {ENV}")


def about_domain(domain: Domain) -> list[str]:
    """What the domain holds, one of its tools and one of its policies."""
    rows = ", ".join(f"{entity.rows} {name}" for name, entity in domain.blueprint.entities.items())
    by_hand = [tool.name for tool in domain.tools.values() if tool.origin.kind == "hand"]
    tool, policy = domain.tool(TOOL), domain.policies[POLICY]
    return [
        row("domain", f"{domain.name} ({domain.field}, {domain.split} split): {domain.about}"),
        row("", f"rows: {rows}"),
        row("", f"{len(domain.tools)} tools, {len(by_hand)} written by hand: {', '.join(by_hand)}"),
        row("a tool", f"{signature(tool)} - {tool.description}"),
        row("", f"errors: {', '.join(sorted(tool.errors))}"),
        row("a policy", policy.text),
    ]


def about_task(task: Task) -> list[str]:
    """The request and what success means."""
    goal = task.goal.alternatives[0]
    ending = goal.outcome + (f", about {goal.about}" if goal.about else "") + (f", answer {goal.answer.value}" if goal.answer else "")
    return [
        row("task", f"{task.id}, difficulty {task.difficulty}"),
        row("request", task.request),
        *(row("" if number else "goal", line) for number, line in enumerate([*map(shown_change, goal.changes), ending])),
        row("", f"{len(task.goal.alternatives)} ways to meet it; nothing else may change"),
    ]


def about_trajectory(env: Any) -> list[str]:
    """The reference solution, played in the environment."""
    lines, results, reward = [], [], 0.0
    for step in env.task.solution:
        call = resolve(step, results)
        observation, reward, *_ = env.step(call)
        results.append(json.loads(observation))
        lines += [row("agent  →", shown_call(call)), row("       ←", observation)]
    changed = " ".join(f"{'+~-'['insert update delete'.split().index(c.op)]} {c.table} {c.key}" for c in env.backend.changes())
    return [*lines, row("ended", f"reward {reward}, changed: {changed}")]


def row(label: str, text: str) -> str:
    """A line of the page: the text in one line, cut where the screen ends."""
    flat = " ".join(text.split())
    return f"{label:<10}{flat if len(flat) <= WIDTH else flat[: WIDTH - 2] + ' …'}"


def signature(tool: Tool) -> str:
    """`check_out(stay_id, kwh)`; a question mark after what may be left out."""
    required = tool.parameters["required"]
    return f"{tool.name}({', '.join(name if name in required else name + '?' for name in tool.parameters['properties'])})"


def shown_call(call: ToolCall) -> str:
    """A call as code."""
    arguments = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
    return f"{call.name}({', '.join(f'{name}={json.dumps(value, ensure_ascii=False)}' for name, value in arguments.items())})"


def shown_change(change: Change) -> str:
    """`+ stay {…}`: a row that comes, `~` one that changes, `-` one that goes."""
    sign = {"insert": "+", "update": "~", "delete": "-"}[change.op]
    key = "" if change.op == "insert" else f" {change.key}"
    cells = ", ".join(f"{name} {value}" for name, value in change.after.items() if name != "id")
    return f"{sign} {change.table}{key} {{{cells}}}"


def written(text: str) -> str:
    """The README's text with the part in its place."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n{page()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
