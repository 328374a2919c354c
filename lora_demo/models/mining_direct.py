"""Patch info mining as the original computes it: keys and values for every position of the map."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.models.mining import window_softmax, windows


def mine_direct(
    query: Float[Tensor, "batch queries width"],
    map_: Float[Tensor, "batch channels side side"],
    query_projector: nn.Sequential,
    key_projector: nn.Sequential,
    value_projector: nn.Sequential,
) -> Float[Tensor, "batch queries width"]:
    """softmax(Q K^T / sqrt(width)) V inside each query's own window; the caller adds it to the query."""
    grid = round(query.shape[1] ** 0.5)
    cut = windows(map_, grid)
    queries, keys, values = query_projector(query), key_projector(cut), value_projector(cut)
    logits = (keys @ queries.unsqueeze(-1)).squeeze(-1)
    weights = window_softmax(logits, width=queries.shape[-1])
    return (weights.unsqueeze(-2) @ values).squeeze(-2)
