"""Which backend runs a domain's tools: in this process, or in a container."""

from __future__ import annotations

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
    toolkit = domain.toolkit
    if name is None:
        name = "docker" if toolkit is not None and not toolkit.trusted else "local"
    if name == "docker":
        from synthtools.sandbox import DockerBackend

        return DockerBackend(domain)
    if toolkit is not None and not toolkit.trusted:
        raise Untrusted(f"{domain.name}: its Python would run in this process; use --backend docker, or --trust if you know the code")
    return in_process(domain)


def in_process(domain: Domain) -> Backend:
    """A new backend in this very process, whoever wrote the tools: for the inside of a container, and for what is trusted."""
    if domain.toolkit is None:
        return LocalBackend(domain)
    from synthtools.toolkit.backend import ToolkitBackend

    return ToolkitBackend(domain)
