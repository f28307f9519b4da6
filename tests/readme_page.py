"""The part of the README that shows a domain, a task and a trajectory in one screen, made by running them.

Run as a script it writes the part into README.md: `make page`.
"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap
from typing import Any

import gymnasium

import envs  # noqa: F401 - registers the environments
from envs.transcript import write_call, write_goal
from synthtools.domain import Domain
from synthtools.load import load_domain
from synthtools.stream import TaskStream
from synthtools.task import Task, resolve
from synthtools.tool import Tool

README = Path(__file__).parent.parent / "README.md"
START = "<!-- page: written by `make page` -->"
END = "<!-- end of page -->"
DOMAIN, TOOL, POLICY, ENV = "marina_berths", "check_out", "deposit", "synthtools/MarinaBerths-v0"
WIDTH = 116


def page() -> str:
    """The part, in Markdown."""
    env: Any = gymnasium.make(ENV).unwrapped
    env.reset(seed=0, options={"task": choose(TaskStream(load_domain(DOMAIN), 0))})
    lines = [*about_domain(env.domain), "", *about_task(env.task, env.domain), "", *about_trajectory(env)]
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
        *told("domain", f"{domain.name} ({domain.field}, {domain.split} split): {domain.about}"),
        *told("", f"rows at the start: {rows}"),
        *told("", f"{len(domain.tools)} tools, {len(by_hand)} of them written by hand: {', '.join(by_hand)}"),
        *told("a tool", f"{signature(tool)} - {tool.description} Errors: {', '.join(sorted(tool.errors))}."),
        *told("a policy", policy.text),
    ]


def about_task(task: Task, domain: Domain) -> list[str]:
    """The request and what success means."""
    return [
        *told("task", f"{task.id}, difficulty {task.difficulty}"),
        *told("request", task.request),
        *(line for i, part in enumerate(write_goal(task, domain)) for line in told("" if i else "goal", part)),
    ]


def about_trajectory(env: Any) -> list[str]:
    """The reference solution, played in the environment."""
    lines: list[str] = []
    results: list[Any] = []
    reward = 0.0
    for step in env.task.solution:
        call = resolve(step, results)
        observation, reward, *_ = env.step(call)
        results.append(json.loads(observation))
        lines += [*told("agent  →", write_call(call)), cut("       ←", observation)]
    outcome = "the goal is met" if env.judgement.success else env.judgement.reason
    return [*lines, *told("ended", f"{outcome}: reward {reward}, {len(env.backend.changes())} rows differ from the start")]


def told(label: str, text: str) -> list[str]:
    """Words under a label, on as many lines as they take."""
    return [f"{label if number == 0 else '':<10}{line}" for number, line in enumerate(wrap(text, WIDTH))]


def cut(label: str, text: str) -> str:
    """A label and as much of a result as fits on its line."""
    return f"{label:<10}{text if len(text) <= WIDTH else text[: WIDTH - 2] + ' …'}"


def signature(tool: Tool) -> str:
    """`check_out(stay_id, kwh)`; a question mark after what may be left out."""
    required = tool.parameters["required"]
    return f"{tool.name}({', '.join(name if name in required else name + '?' for name in tool.parameters['properties'])})"


def written(text: str) -> str:
    """The README's text with the part in its place."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n{page()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
