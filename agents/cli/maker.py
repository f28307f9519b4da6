"""Which agent `--agent` means: a scripted one, a model's or command's settings file, a command line, a client of MCP, or a maker of one's own."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from agents.agent import SCRIPTED, Agent, Maker, scripted
from agents.budget import Budget, Spender
from agents.cli.output import BadInput, refuse_without
from agents.cli.settings import Asked, ChatFile, CommandFile, LocalFile, UserSettings, read_settings, settings_file
from agents.cli.train import refuse_without_packages
from agents.model_user import ModelUsers
from agents.origin import described
from agents.students.local import LocalSettings, local
from synthtools.nearest import likely
from synthtools.task import Task

CMD = "cmd:"
"""What a command line is given after."""
MCP = "mcp:"
"""What a client of MCP is given after."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a command line lets agents spend, in place of what their settings say."""

    tokens: int | None = None
    money: float | None = None

    def on(self, settings: ChatFile | CommandFile, spec: str) -> dict[str, Any]:
        """The keys of settings that these bounds are; BadInput where money cannot be counted."""
        self._refuse_no_prices(isinstance(settings, ChatFile) and settings.budget().priced, spec)
        return {f"budget_{name}": value for name, value in self._given().items()}

    def over(self, agent: Agent, spec: str) -> Agent:
        """The agent, of one's own, with these bounds on its budget; BadInput where it has none that it keeps to."""
        budget = getattr(agent, "budget", None)
        if not isinstance(agent, Spender) or not isinstance(budget, Budget):
            raise self.refused(f"{spec} is no Spender with a `budget` (agents/budget.py)")
        self._refuse_no_prices(budget.priced, spec)
        agent.budget = replace(budget, **self._given())  # type: ignore[attr-defined]
        return agent

    def refused(self, why: str) -> BadInput:
        """What is said where an agent cannot be bound."""
        mend = "leave that out, or bind the others by `budget_tokens` in their settings"
        return BadInput(f"--budget-{next(iter(self._given()))}: {why}, so it cannot be bound; {mend}")

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in (("tokens", self.tokens), ("money", self.money)) if value is not None}

    def _refuse_no_prices(self, prices: bool, spec: str) -> None:
        if self.money is not None and not prices:
            raise BadInput(f"--budget-money: {spec} has no prices, so money cannot be counted; give `prompt_price` and `completion_price` there")


UNBOUND = Bounds()


def is_local(spec: str) -> bool:
    """Whether a value of `--agent` means a model on this machine, of which one process is enough."""
    if spec.startswith((CMD, MCP)):
        return False
    if spec.endswith((".yaml", ".yml")):
        return "local" in read_settings(Path(spec))
    return spec == "smollm2" or (Path(spec) / "config.json").is_file() or (Path(spec) / "adapter_config.json").is_file()


def make_maker(spec: str, bounds: Bounds = UNBOUND) -> Maker:
    """The maker that a value of `--agent` means; scripted agents spend nothing. Raises BadInput."""
    if spec in SCRIPTED:
        return scripted(spec)
    if spec.startswith(CMD):
        return _command(CommandFile(command=spec.removeprefix(CMD)), spec, bounds)
    if bounds != UNBOUND and (spec.startswith(MCP) or is_local(spec)):
        raise bounds.refused(f"what {spec} spends is not counted")
    if spec.startswith(MCP):
        return _mcp(spec)
    if is_local(spec):
        refuse_without_packages()
        return settings_file(Path(spec), LocalFile).maker() if spec.endswith((".yaml", ".yml")) else local(LocalSettings(spec))
    if spec.endswith((".yaml", ".yml")):
        if "command" in read_settings(Path(spec)):
            return _command(settings_file(Path(spec), CommandFile), spec, bounds)
        settings = settings_file(Path(spec), ChatFile)
        refuse_unusable(Path(spec), settings)
        return settings.model_copy(update=bounds.on(settings, spec)).maker()
    if ":" in spec:
        return _own(spec, bounds)
    commands = f"{CMD}COMMAND, {MCP}COMMAND"
    kinds = f"{', '.join(SCRIPTED)}, {commands}, a model's settings (.yaml) or folder, or module:maker (a class or function)"
    raise BadInput(f"--agent {spec}: no such agent; {f'{close} else ' if (close := likely(spec, SCRIPTED)) else ''}give {kinds}")


def model_users(path: Path | None) -> ModelUsers | None:
    """The users that a settings file of --user means; None: those of the scripts."""
    if path is None:
        return None
    settings = settings_file(path, UserSettings)
    refuse_unusable(path, settings)
    return settings.users()


def _command(settings: CommandFile, spec: str, bounds: Bounds) -> Maker:
    """The maker of a command; BadInput where there is no such program."""
    _refuse_no_program(settings.command, spec)
    return settings.model_copy(update=bounds.on(settings, spec)).maker()


def _mcp(spec: str) -> Maker:
    """The maker of a client of MCP; BadInput where there is no such program, or no MCP here."""
    from agents.mcp_agent import mcp_agent

    refuse_without("mcp", "uvicorn", extra="mcp")
    _refuse_no_program(spec.removeprefix(MCP), spec)
    return mcp_agent(spec.removeprefix(MCP))


def _refuse_no_program(line: str, spec: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise BadInput(f"--agent {spec}: is no command line ({error})") from None
    if not words or shutil.which(words[0]) is None:
        kind = spec.partition(":")[0] if spec.startswith((CMD, MCP)) else CMD[:-1]
        raise BadInput(f"--agent {spec}: no program {words[0] if words else ''!r} here; give a command line, as in {kind}:python my_agent.py")


def refuse_unusable(path: Path, settings: Asked) -> None:
    """BadInput where a chat model cannot be asked at all: the package is missing, or the key."""
    try:
        importlib.import_module("openai")
    except ImportError as error:
        raise BadInput(f'{path}: a chat model needs the openai package ({error}): pip install "synthtools[openai]"') from None
    if settings.budget_money is not None and not settings.budget().priced:
        raise BadInput(f"{path}: budget_money: money is not counted without prices; give `prompt_price` and `completion_price` too")
    if not settings.url and not os.environ.get(settings.key_variable):
        raise BadInput(f"{path}: the environment variable {settings.key_variable} holds no key; set it, or give the `url` of an endpoint")


def _own(spec: str, bounds: Bounds) -> Maker:
    """The maker that `module:maker` names; BadInput where there is none."""
    module, _, name = spec.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise BadInput(f"--agent {spec}: is not module:maker; the class MyAgent of ./my_agent.py is my_agent:MyAgent, said in its folder")
    here = str(Path.cwd())
    if not {here, ""} & set(sys.path):  # an installed command does not look where it is called from; workers take the path over
        sys.path.append(here)
    try:
        maker = getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a module of one's own raises when it is imported
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None and f"{module}.".startswith(f"{error.name}.")
        told = str(error) if missing else f"the module {module} cannot be imported: {described(error)}"
        raise BadInput(f"--agent {spec}: {told}") from None
    if maker is None:
        raise BadInput(f"--agent {spec}: the module {module} has no attribute {name!r}")
    if not callable(maker):
        raise BadInput(f"--agent {spec}: is not a function or class that makes an agent")
    bare = isinstance(maker, type) and _takes(maker)
    if not bare and not _takes(maker, {}):
        raise BadInput(f"--agent {spec}: cannot be called with the tasks; give a class that needs nothing, or `def {name}(tasks)`")
    made: Maker = partial(_made, maker, spec, bare)
    return made if bounds == UNBOUND else partial(_bound, made, bounds, spec)


def _takes(maker: Callable[..., object], *given: object) -> bool:
    """Whether it can be called so, as far as it says."""
    try:
        signature(maker).bind(*given)
    except (TypeError, ValueError):
        return False
    return True


def _made(maker: Callable[..., Agent], spec: str, bare: bool, tasks: Mapping[str, Task]) -> Agent:
    """An agent of one's own; `bare`: of a class that is given nothing. BadInput for whatever its making raises."""
    try:
        return maker() if bare else maker(tasks)
    except Exception as error:  # noqa: BLE001  a person's own code
        raise BadInput(f"--agent {spec}: cannot be made: {described(error)}") from error


def _bound(maker: Maker, bounds: Bounds, spec: str, tasks: Mapping[str, Task]) -> Agent:
    """An agent of one's own that may spend so much."""
    return bounds.over(maker(tasks), spec)
