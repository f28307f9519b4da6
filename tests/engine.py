"""The Docker engine in tests: where `SYNTHTOOLS_DOCKER=required` is set, a missing engine fails them; elsewhere they skip and say why."""

from __future__ import annotations

import os
from functools import cache

import pytest

from synthtools.sandbox import Engine, EngineError, Limits, Pool
from synthtools.sandbox.container import Transport


@cache
def _engine() -> Engine | str:
    try:
        return Engine()
    except EngineError as error:
        return str(error)


def engine() -> Engine:
    """The engine, or the end of the test that wanted one."""
    found = _engine()
    if isinstance(found, Engine):
        return found
    if os.environ.get("SYNTHTOOLS_DOCKER") == "required":
        pytest.fail(f"SYNTHTOOLS_DOCKER=required, but {found}")
    pytest.skip(found)


@cache
def pool(transport: Transport = "socket") -> Pool:
    """A pool of the test process, with no spare containers."""
    return Pool(engine(), limits=Limits(call_seconds=20.0), transport=transport, spares=0)
