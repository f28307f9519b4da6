"""TRL's SFT trainer, with a head that looks at the assistant's tokens alone on machines without Triton."""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTTrainer

_SCALES = ("logits_scaling", "logit_scale", "final_logit_softcapping")
"""Settings of models that change their logits after the projection."""


def _scales(config: Any) -> bool:
    return any(getattr(config, name, None) for name in _SCALES)


class AssistantTrainer(SFTTrainer):  # type: ignore[misc]
    """On a CPU TRL scores every position, whatever counts: more than half of a step for a small model with a large vocabulary.

    Here only the positions with a label are projected; the loss is the same. With Triton TRL does so itself, and is left alone,
    as are models that do more to their logits than project them.
    """

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """The mean negative log-likelihood of the labelled tokens, over all batches of the step."""
        if return_outputs or inputs["input_ids"].device.type != "cpu" or _scales(self.accelerator.unwrap_model(model).config):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        causal = self.accelerator.unwrap_model(model)
        causal = causal.get_base_model() if hasattr(causal, "get_base_model") else causal
        with self.compute_loss_context_manager(), self.accelerator.autocast():
            body = causal.base_model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
            labels = inputs["labels"][:, 1:]
            counts = labels != -100
            logits = causal.get_output_embeddings()(body.last_hidden_state[:, :-1][counts]).float()
        total = torch.nn.functional.cross_entropy(logits, labels[counts], reduction="sum")
        return total / (counts.sum() if num_items_in_batch is None else num_items_in_batch)
