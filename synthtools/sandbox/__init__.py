"""Tools run in hardened Docker containers: for code that nobody vouches for."""

from synthtools.sandbox.docker import DockerBackend, describe_contained, together
from synthtools.sandbox.engine import Engine, EngineError
from synthtools.sandbox.failure import SandboxError
from synthtools.sandbox.limits import Limits
from synthtools.sandbox.pool import Pool, reap

__all__ = ["DockerBackend", "Engine", "EngineError", "Limits", "Pool", "SandboxError", "describe_contained", "reap", "together"]
