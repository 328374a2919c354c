"""Next-token cross-entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def next_token_loss(
    logits: Float[Tensor, "positions vocabulary"],
    targets: Int[Tensor, " positions"],
    denominator: float | int | Tensor | None = None,
) -> Float[Tensor, ""]:
    """-log softmax(logits)[target] in float32, summed and divided by `denominator` (default: how many there are).

    With gradient accumulation pass the number of supervised tokens of the whole accumulated batch, so that a token
    weighs the same wherever it stands.
    """
    total = F.cross_entropy(logits.float(), targets, reduction="sum")
    return total / (targets.numel() if denominator is None else denominator)


def gather_positions(
    states: Float[Tensor, "batch length width"], rows: Int[Tensor, " positions"], columns: Int[Tensor, " positions"]
) -> Float[Tensor, "positions width"]:
    """The vectors at (row, column)."""
    return states.flatten(0, 1).index_select(0, rows * states.shape[1] + columns)


def as_index(values: list[int], device: torch.device) -> Int[Tensor, " positions"]:
    """Plain integers as an index tensor."""
    return torch.tensor(values, dtype=torch.long, device=device)
