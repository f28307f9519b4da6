"""Which backend runs a domain's tools: in this process, or in a container."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from synthtools.backend import Backend, LocalBackend
from synthtools.domain import Domain

BackendName = Literal["local", "docker"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


class Untrusted(ValueError):
    """Code that nobody vouched for was asked to run in this process."""


def open_backend(domain: Domain, name: BackendName | None = None) -> Backend:
    """A new backend for a domain; None takes `local`, but `docker` for a toolkit that nobody vouches for.

    Raises Untrusted where such a toolkit is asked to run locally, and EngineError where docker cannot run.
    """
    if _contained(domain, name):
        from synthtools.sandbox import DockerBackend

        return DockerBackend(domain)
    if domain.toolkit is not None and not domain.toolkit.trusted:
        raise Untrusted(f"{domain.name}: its Python would run in this process; use --backend docker, or --trust if you know the code")
    return in_process(domain)


def _contained(domain: Domain, name: BackendName | None) -> bool:
    return name == "docker" or (name is None and domain.toolkit is not None and not domain.toolkit.trusted)


def refuse_no_engine(domains: Iterable[Domain], name: BackendName | None = None) -> None:
    """EngineError, before anything is begun, where some of these domains would run in a container and none can be had."""
    if not any(_contained(domain, name) for domain in domains):
        return
    from synthtools.sandbox import Engine, EngineError

    try:
        Engine().client.close()
    except EngineError as error:
        mend = "" if name else "; or give --trust if you know the toolkit's code, which then runs in this process"
        raise EngineError(f"{error}{mend}") from None


def in_process(domain: Domain) -> Backend:
    """A new backend in this very process, whoever wrote the tools: for the inside of a container, and for what is trusted."""
    if domain.toolkit is None:
        return LocalBackend(domain)
    from synthtools.toolkit.backend import ToolkitBackend

    return ToolkitBackend(domain)
