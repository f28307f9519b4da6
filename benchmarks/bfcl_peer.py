"""Keyed reads and single-row writes a second of BFCL's multi-turn executor; run by step.py in that package's own interpreter.

Prints one JSON list: [reads a second, writes a second]. A call goes through `execute_multi_turn_func_call`, as BFCL's own
runs do, on the ticket system with 200 tickets; reads look a ticket up by its number, writes edit one ticket's priority.
"""

import json
import statistics
import time
from collections.abc import Callable

from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

CALLS = 400
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    plain = {"description": "d", "status": "Open", "priority": 1, "created_by": "u", "resolution": ""}
    tickets = [{"id": n, "title": f"ticket {n}", **plain} for n in range(1, 201)]
    config = {"TicketAPI": {"ticket_queue": tickets, "ticket_counter": 201, "current_user": "u"}}

    def call(text: str) -> str:
        results, _ = execute_multi_turn_func_call([text], config, ["TicketAPI"], "peer", "bench")
        return str(results[0])

    assert "ticket 7" in call("get_ticket(ticket_id=7)")
    assert "rror" not in call("edit_ticket(ticket_id=7, updates={'priority': 2})")
    print(json.dumps([_rate(call, "get_ticket(ticket_id={n})"), _rate(call, "edit_ticket(ticket_id={n}, updates={{'priority': {p}}})")]))


def _rate(call: Callable[[str], str], template: str) -> float:
    rates = []
    for _ in range(ROUNDS):
        texts = [template.format(n=n % 200 + 1, p=n % 5 + 1) for n in range(CALLS)]
        begun = time.perf_counter()
        for text in texts:
            call(text)
        rates.append(CALLS / (time.perf_counter() - begun))
    return statistics.median(rates)


if __name__ == "__main__":
    main()
