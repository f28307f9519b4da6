"""Which agent `--agent` means: a scripted one, a model's or command's settings file, a command line, a client of MCP, or a maker of one's own."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.agent import SCRIPTED, Agent, Maker, scripted
from agents.budget import Budget
from agents.chat import PROMPT, Endpoint, Sampling, chat
from agents.cli.output import BadInput, refuse_without
from agents.cli.train import refuse_without_packages
from agents.command import SECONDS, command_agent
from agents.model_user import PROMPT as USER_PROMPT
from agents.model_user import ModelUsers
from agents.students.local import LocalSettings, local
from agents.students.model import Precision
from synthtools.task import Task

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Share = Annotated[float, Field(gt=0, le=1)]
Price = Annotated[float, Field(ge=0)]
Settings = TypeVar("Settings", bound=BaseModel)
CMD = "cmd:"
"""What a command line is given after."""
MCP = "mcp:"
"""What a client of MCP is given after."""


class ChatFile(BaseModel):
    """A chat model's settings, as a YAML file holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    url: str = ""
    """Base URL of the endpoint; empty: the `openai` package's own."""
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    prompt: str = PROMPT
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Share | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    parallel: bool = True
    seconds: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 5
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of the whole rollout, in all its processes and however often it is resumed, as is the money."""
    budget_money: Annotated[float, Field(gt=0)] | None = None
    prompt_price: Price = 0.0
    """Per million tokens, as is the other."""
    completion_price: Price = 0.0

    def maker(self) -> Maker:
        """The agent's maker."""
        return chat(
            Sampling(self.model, self.prompt, self.temperature, self.top_p, self.max_tokens, self.parallel),
            Endpoint(self.url, self.key_variable, self.seconds, self.retries),
            Budget(self.budget_tokens, self.budget_money, self.prompt_price, self.completion_price),
        )


class UserSettings(BaseModel):
    """The settings of a chat model that plays users, as a YAML file holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    url: str = ""
    key_variable: str = "OPENAI_API_KEY"
    prompt: str = USER_PROMPT
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Share | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 5

    def users(self) -> ModelUsers:
        """What makes its users."""
        sampling = Sampling(self.model, self.prompt, self.temperature, self.top_p, self.max_tokens)
        return ModelUsers(sampling, Endpoint(self.url, self.key_variable, self.seconds, self.retries))


class CommandFile(BaseModel):
    """The settings of an agent that is a command of its own, as a YAML file holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    """As after `cmd:`."""
    seconds: Annotated[float, Field(gt=0)] = SECONDS
    """For one answer."""
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of the tokens that it says it has taken, in the whole rollout."""

    def maker(self) -> Maker:
        """The agent's maker."""
        return command_agent(self.command, self.seconds, Budget(self.budget_tokens))


class LocalFile(BaseModel):
    """The settings of a model on this machine, as a YAML file holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    local: str
    """`smollm2`, a folder, or a hub name."""
    template: str = "auto"
    prompt: str | None = None
    brief: bool | None = None
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Share = 1.0
    max_tokens: Annotated[int, Field(ge=1)] = 160
    precision: Precision = "auto"
    batch: Annotated[int, Field(ge=1)] = 32

    def maker(self) -> Maker:
        """The agent's maker."""
        settings = self.model_dump()
        return local(LocalSettings(settings.pop("local"), **settings))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a command line lets agents spend, in place of what their settings say."""

    tokens: int | None = None
    money: float | None = None

    def on(self, settings: ChatFile | CommandFile, spec: str) -> dict[str, Any]:
        """The keys of settings that these bounds are; BadInput where money cannot be counted."""
        if self.money is not None and not (isinstance(settings, ChatFile) and settings.prompt_price + settings.completion_price):
            raise BadInput(f"--budget-money: {spec} has no prices, so money cannot be counted; give `prompt_price` and `completion_price` there")
        given = {"budget_tokens": self.tokens, "budget_money": self.money}
        return {name: value for name, value in given.items() if value is not None}


UNBOUND = Bounds()


def is_local(spec: str) -> bool:
    """Whether a value of `--agent` means a model on this machine, of which one process is enough."""
    if spec.endswith((".yaml", ".yml")):
        return "local" in _settings(Path(spec))
    return spec == "smollm2" or (Path(spec) / "config.json").is_file() or (Path(spec) / "adapter_config.json").is_file()


def make_maker(spec: str, bounds: Bounds = UNBOUND) -> Maker:
    """The maker that a value of `--agent` means; agents that spend nothing are not bound."""
    if spec in SCRIPTED:
        return scripted(spec)
    if spec.startswith(CMD):
        return _command(CommandFile(command=spec.removeprefix(CMD)), spec, bounds)
    if spec.startswith(MCP):
        return _mcp(spec)
    if is_local(spec):
        refuse_without_packages()
        return _settings_file(Path(spec), LocalFile).maker() if spec.endswith((".yaml", ".yml")) else local(LocalSettings(spec))
    if spec.endswith((".yaml", ".yml")):
        if "command" in _settings(Path(spec)):
            return _command(_settings_file(Path(spec), CommandFile), spec, bounds)
        settings = _settings_file(Path(spec), ChatFile)
        refuse_unusable(Path(spec), settings)
        return settings.model_copy(update=bounds.on(settings, spec)).maker()
    if ":" in spec:
        return _own(*spec.split(":", 1))
    commands = f"{CMD}COMMAND, {MCP}COMMAND"
    kinds = f"{', '.join(SCRIPTED)}, {commands}, a model's settings (.yaml) or folder, or module:maker (a class or function)"
    raise BadInput(f"--agent {spec}: no such agent; give {kinds}")


def model_users(path: Path | None) -> ModelUsers | None:
    """The users that a settings file of --user means; None: those of the scripts."""
    if path is None:
        return None
    settings = _settings_file(path, UserSettings)
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


def refuse_unusable(path: Path, settings: ChatFile | UserSettings) -> None:
    """BadInput where a chat model cannot be asked at all: the package is missing, or the key."""
    try:
        importlib.import_module("openai")
    except ImportError as error:
        raise BadInput(f'{path}: a chat model needs the openai package ({error}): pip install "synthtools[openai]"') from None
    if not settings.url and not os.environ.get(settings.key_variable):
        raise BadInput(f"{path}: the environment variable {settings.key_variable} holds no key; set it, or give the `url` of an endpoint")


def _settings(path: Path) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{path}:1: settings are a mapping that starts with `model:`, with `local:` for a model on this machine, or with `command:`")
    return data


def _settings_file(path: Path, kind: type[Settings]) -> Settings:
    try:
        return kind.model_validate(_settings(path))
    except ValidationError as error:
        raise BadInput(f"{path}: {_first(error.errors()[0], kind)}") from None


def _first(error: ErrorDetails, kind: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key; there are {', '.join(kind.model_fields)}"
    return f"{place}: {error['msg']}"


def _own(module: str, name: str) -> Maker:
    here = str(Path.cwd())
    if not {here, ""} & set(sys.path):  # an installed command does not look where it is called from; workers take the path over
        sys.path.append(here)
    try:
        maker = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"--agent {module}:{name}: {error}") from None
    if not callable(maker):
        raise BadInput(f"--agent {module}:{name}: is not a function or class that makes an agent")
    makes = signature(maker)
    if isinstance(maker, type) and _takes(makes):
        return partial(_instance, maker)
    if not _takes(makes, {}):
        raise BadInput(f"--agent {module}:{name}: cannot be called with the tasks; give a class that needs nothing, or `def {name}(tasks)`")
    made: Maker = maker
    return made


def _takes(makes: Signature, *given: object) -> bool:
    try:
        makes.bind(*given)
    except TypeError:
        return False
    return True


def _instance(kind: Callable[[], Agent], tasks: Mapping[str, Task]) -> Agent:
    """An agent of a class that is given nothing."""
    return kind()
