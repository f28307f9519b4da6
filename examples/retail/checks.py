"""Checks of tasks: functions over the net changes of the shop, each `{table, op, key, before, after}`."""

from __future__ import annotations

from typing import Any


def stand_is_kept(changes: list[dict[str, Any]]) -> bool:
    """One return was opened, for exactly the first and the third line of the order: the plant stand between them was not touched."""
    opened = [change for change in changes if (change["table"], change["op"]) == ("returns", "insert")]
    returned = {key for change in changes if change["table"] == "orders" for key, value in change["after"].items() if value == "returned"}
    return len(opened) == 1 and returned == {"lines.1.status", "lines.3.status"}
