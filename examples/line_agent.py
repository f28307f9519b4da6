"""An agent as a command of its own: lines of JSON in, lines of JSON out, and nothing imported but the standard library.

synthtools bench --agent "cmd:python examples/line_agent.py" --suite smoke --out runs/line

It does what a request with one id may mean: reads about that thing, and answers with what it has read. Put your own agent in `turn`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def main() -> None:
    """Answer each line with a line."""
    episode: Iterator[Message] = iter(())
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "begin":
            episode = turns(message)
        else:
            seen.extend(message["observations"])
        sys.stdout.write(json.dumps(next(episode, finish("impossible"))) + "\n")
        sys.stdout.flush()


seen: list[str] = []
"""The results so far of this episode's calls, as JSON text."""


def turns(begin: Message) -> Iterator[Message]:
    """One episode's turns: a look at the first thing that is named, and the end."""
    seen.clear()
    tools = [tool["function"] for tool in begin["tools"]]
    for name in re.findall(r"\b[A-Z]+-?\d+\b", begin["request"]):
        for tool in tools:
            required = tool["parameters"]["required"]
            if len(required) == 1 and f"such as {name[:2]}" in str(tool["parameters"]["properties"][required[0]]):
                yield {"calls": [{"name": tool["name"], "arguments": {required[0]: name}}], "text": f"Looking at {name}."}
                if "error" not in json.loads(seen[-1]):
                    yield finish("done", name)
    yield finish("impossible")


def finish(outcome: str, answer: str | None = None) -> Message:
    """The turn that ends an episode."""
    arguments = {"outcome": outcome, **({"answer": answer} if answer else {})}
    return {"calls": [{"name": "finish", "arguments": arguments}]}


if __name__ == "__main__":
    main()
