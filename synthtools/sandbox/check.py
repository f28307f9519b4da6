"""Whether this machine can run containers as they must be run, found out by running one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synthtools.sandbox.engine import Engine, EngineError
from synthtools.sandbox.limits import Limits
from synthtools.sandbox.pool import Pool


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found."""

    engine: str
    ok: bool
    facts: Mapping[str, str]
    weaknesses: tuple[str, ...]
    """What the host lacks that would make a container stronger; none of them stops it from running."""


def examine() -> Findings:
    """Ask the engine, start a container, and ask its supervisor. Raises EngineError where there is no engine to ask."""
    engine = Engine()
    with engine.asked("describe itself"):
        info: dict[str, Any] = engine.client.info()
    facts = {
        "api": str(engine.version.get("ApiVersion")),
        "storage": str(info.get("Driver")),
        "cgroups": f"v{info.get('CgroupVersion', '1')} ({info.get('CgroupDriver')})",
        "security": ", ".join(info.get("SecurityOptions", ())) or "none",
        "runc": str(next((part["Details"].get("Package") or part["Version"] for part in _parts(engine) if part["Name"] == "runc"), "unknown")),
    }
    name = f"Docker {engine.version.get('Version')} on Linux {info.get('KernelVersion')}"
    pool = Pool(engine, limits=Limits(episodes=1), spares=0)
    try:
        state = pool.any_container().state()
        facts |= {"transport": pool.transport, "landlock": f"ABI {state['landlock']}" if state["landlock"] else "none"}
        return Findings(name, True, facts, tuple(_weaknesses(facts)))
    except EngineError as error:
        return Findings(name, False, facts | {"failed": str(error)}, tuple(_weaknesses(facts)))
    finally:
        pool.close()


def _parts(engine: Engine) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = engine.version.get("Components", [])
    return parts


def _weaknesses(facts: Mapping[str, str]) -> Iterator[str]:
    if "apparmor" not in facts["security"] and "selinux" not in facts["security"]:
        yield "neither AppArmor nor SELinux: seccomp, capabilities and namespaces stand alone"
    if "rootless" not in facts["security"] and "userns" not in facts["security"]:
        yield "no user namespaces: a container's user is the host's user of the same number (65532, which owns nothing)"
    if facts.get("landlock") == "none":
        yield "no Landlock: a worker sees its container's /proc and its siblings' scratch folders"
    if facts.get("transport") == "stdio":
        yield "no shared socket: calls go through the engine, which is slower"
