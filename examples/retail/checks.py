"""Checks of tasks: functions over the shop before and after, as plain data."""

from __future__ import annotations

from typing import Any


def stand_is_kept(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Two lines of the order came back, and the plant stand between them did not."""
    lines = after["orders"]["O-40019"]["lines"]
    came_back = [number for number, line in lines.items() if line["status"] == "returned"]
    return came_back == ["1", "3"] and len(after["returns"]) == len(before["returns"]) + 1
