"""Settings of agents and users, as YAML files hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from agents.agent import Maker
from agents.budget import Budget
from agents.chat import PROMPT, Endpoint, Sampling, chat
from agents.cli.output import BadInput
from agents.command import SECONDS, command_agent
from agents.model_user import PROMPT as USER_PROMPT
from agents.model_user import ModelUsers
from agents.settings import FileFault, read_as, read_yaml
from agents.students.local import LocalSettings, local
from agents.students.model import Precision

Share = Annotated[float, Field(gt=0, le=1)]
Price = Annotated[float, Field(ge=0)]
Settings = TypeVar("Settings", bound=BaseModel)


class Asked(BaseModel):
    """How a chat model is asked, whoever's part it plays, and what it may spend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    url: str = ""
    """Base URL of the endpoint; empty: the `openai` package's own."""
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Share | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 5
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of the whole rollout, in all its processes and however often it is resumed, as is the money."""
    budget_money: Annotated[float, Field(gt=0)] | None = None
    prompt_price: Price = 0.0
    """Per million tokens, as is the other."""
    completion_price: Price = 0.0

    def budget(self) -> Budget:
        """What it may spend."""
        return Budget(self.budget_tokens, self.budget_money, self.prompt_price, self.completion_price)

    def endpoint(self) -> Endpoint:
        """Where it is asked."""
        return Endpoint(self.url, self.key_variable, self.seconds, self.retries)


class ChatFile(Asked):
    """A chat model's settings, as a YAML file holds them."""

    prompt: str = PROMPT
    parallel: bool = True

    def maker(self) -> Maker:
        """The agent's maker."""
        sampling = Sampling(self.model, self.prompt, self.temperature, self.top_p, self.max_tokens, self.parallel)
        return chat(sampling, self.endpoint(), self.budget())


class UserSettings(Asked):
    """The settings of a chat model that plays users, as a YAML file holds them."""

    prompt: str = USER_PROMPT

    def users(self) -> ModelUsers:
        """What makes its users."""
        return ModelUsers(Sampling(self.model, self.prompt, self.temperature, self.top_p, self.max_tokens), self.endpoint(), self.budget())


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


def read_settings(path: Path) -> dict[str, Any]:
    """What a settings file says, whatever it is of. Raises BadInput."""
    try:
        data = read_yaml(path)
    except FileFault as fault:
        raise BadInput(str(fault)) from None
    if not isinstance(data, dict):
        raise BadInput(f"{path}:1: settings are a mapping that starts with `model:`, with `local:` for a model on this machine, or with `command:`")
    return data


def settings_file(path: Path, kind: type[Settings]) -> Settings:
    """The settings in a file that is to hold this kind of them. Raises BadInput."""
    try:
        return read_as(kind, read_settings(path), path, ("local", "command") if kind is ChatFile else ())
    except FileFault as fault:
        raise BadInput(str(fault)) from None
