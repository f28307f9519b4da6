"""`synthtools validate`: replay a run's stored trajectories in fresh worlds."""

from __future__ import annotations

from collections import Counter

from agents.cli.export import RunFolder, pack_of, trajectories
from agents.cli.output import Backend, Failed, Json, Trust, print_json, print_line, print_table, progress


def validate(run: RunFolder, backend: Backend = None, trust: Trust = False, as_json: Json = False) -> None:
    """Replay every stored trajectory: each result, the net change and the reward must come out equal."""
    from agents.stored import Stored
    from agents.validate import validate_run

    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    pack, total = pack_of(run, trust=trust), trajectories(run)
    with Stored(run) as stored, progress("replays") as update:
        for done, (row, verdict) in enumerate(validate_run(stored, pack, backend), 1):
            if not verdict.valid:
                reasons[verdict.reason] += 1
                examples.setdefault(verdict.reason, f"{row.task} by {row.agent}, trial {row.trial}: {verdict.detail}")
            if done % 50 == 0 or done == total:
                update(done, total)
    invalid = sum(reasons.values())
    if as_json:
        print_json({"trajectories": total, "valid": total - invalid, "invalid": dict(sorted(reasons.items()))})
    else:
        print_line(f"{total:,} trajectories, {total - invalid:,} of them valid.")
        if reasons:
            rows = [[reason, count, examples[reason]] for reason, count in sorted(reasons.items())]
            print_table("Not valid", ("reason", "trajectories", "the first"), rows)
    if invalid:
        raise Failed(f"{invalid} of {total} trajectories in {run} are not what replaying them gives")
