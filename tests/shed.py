"""The tool shed with its promise written down, and the same shed with one thing wrong."""

from __future__ import annotations

from small import TEXT, tool_shed
from synthtools.domain import Domain

_PROMISE = """\
    cannot_break: [dates_reversed]
    ensures:
      - (SELECT COUNT(*) = 1 AND MAX(tool) = :tool_id AND MAX(neighbour) = :neighbour_id AND MAX(begins) = :today AND julianday(MAX(ends)) - julianday(:today) = :days FROM added_loan)
      - (SELECT COUNT(*) = 1 AND MAX(id) = :tool_id AND MAX(before_state) = 'in' AND MAX(after_state) = 'out' AND MAX(after_name) = MAX(before_name) AND MAX(after_day_rate) = MAX(before_day_rate) FROM changed_tool)
      - (SELECT COUNT(*) = 1 AND MAX(id) = :neighbour_id AND MAX(after_fees - before_fees) = :days * (SELECT day_rate FROM tool WHERE id = :tool_id) AND MAX(after_name) = MAX(before_name) FROM changed_neighbour)
      - (SELECT r.id = n.id AND r.fees = n.fees AND r.charged = :days * (SELECT day_rate FROM tool WHERE id = :tool_id) FROM result r JOIN neighbour n ON n.id = :neighbour_id)
    given:
      tool_id: {entity: tool, where: "state = 'in'"}
      neighbour_id: {entity: neighbour}
      days: {int: [1, 9]}
"""  # noqa: E501 - one promise a line
SOUND = TEXT.replace("    asked_as: [\"lend", _PROMISE + "    asked_as: [\"lend")


def shed(written: str = "", instead: str = "") -> Domain:
    """The sound shed, or the one in which `written` reads otherwise."""
    if written and SOUND.count(written) != 1:
        raise ValueError(f"{written!r} stands there {SOUND.count(written)} times")
    return tool_shed(SOUND.replace(written, instead) if written else SOUND)
