"""AdamW for weights in bf16: what it learns is kept in fp32, so that small steps are not rounded away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch


class MasterAdamW(torch.optim.AdamW):  # type: ignore[misc]
    """AdamW over fp32 copies of rounded parameters, which follow them after each step (Micikevicius et al., arXiv 1710.03740)."""

    def __init__(self, groups: Iterable[dict[str, Any]], **settings: Any) -> None:
        """`groups`: parameter groups, as trainers give them."""
        self.rounded: list[torch.nn.Parameter] = []
        copied = []
        for group in groups:
            self.rounded += group["params"]
            copied.append({**group, "params": [torch.nn.Parameter(parameter.detach().float()) for parameter in group["params"]]})
        super().__init__(copied, **settings)

    @property
    def masters(self) -> list[torch.Tensor]:
        """The fp32 copies."""
        return [master for group in self.param_groups for master in group["params"]]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of the copies by the gradients of the rounded parameters."""
        for master, parameter in zip(self.masters, self.rounded, strict=True):
            master.grad = None if parameter.grad is None else parameter.grad.float()
        loss = super().step(closure)
        for master, parameter in zip(self.masters, self.rounded, strict=True):
            parameter.copy_(master)
            master.grad = None
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the rounded parameters."""
        for parameter in self.rounded:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """With the copies, which the rounded parameters cannot give back."""
        return {**super().state_dict(), "masters": [master.detach().clone() for master in self.masters]}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        state = dict(state_dict)
        for master, saved in zip(self.masters, state.pop("masters"), strict=True):
            master.copy_(saved)
        super().load_state_dict(state)
