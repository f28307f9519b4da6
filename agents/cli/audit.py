"""`synthtools audit`: call every tool, and see whether it does what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import Failed, Json, Seed, Workers, print_json, print_line, print_table, progress, worker_count

if TYPE_CHECKING:
    from synthtools.audit import AuditReport
