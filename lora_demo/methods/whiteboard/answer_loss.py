"""Loss on answers only, over several micro-batches, as on a whiteboard.

    loss = Σ −log p(token) / N over the answer tokens, N of the whole batch: every token weighs the same wherever it is

A mean of the micro-batches' means would weigh a token by how few others its micro-batch has.
The full version: `models.loss`, `training.step`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

IGNORED = -100
"""The label that PyTorch's cross-entropy leaves out."""


def answer_labels(ids: Int[Tensor, " length"], prompt_length: int) -> Int[Tensor, " length"]:
    """The ids themselves, with the prompt left out; not shifted, as the loss does that."""
    labels = ids.clone()  # the ids are still the model's input
    labels[:prompt_length] = IGNORED
    return labels


def accumulated_loss(model: nn.Module, micro_batches: list[tuple[Tensor, Tensor]]) -> Float[Tensor, ""]:
    """The whole batch's loss from pairs (ids, labels) of [rows, length]; its gradient is added to the parameters'."""
    count = sum((labels[:, 1:] != IGNORED).sum() for _, labels in micro_batches)  # no position predicts the first token
    total = torch.zeros(())
    for ids, labels in micro_batches:
        logits = model(ids)[:, :-1].float()  # position t predicts token t + 1
        summed = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum")
        loss = summed / count
        loss.backward()  # frees this micro-batch's graph before the next one
        total = total + loss.detach()
    return total
