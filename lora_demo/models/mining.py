"""Patch info mining in its cheap form: the same attention without projecting every position of the map.

Each query attends, with one head, to the window of the high-resolution map that lies under it. The direct form
(`mining_direct.py`) projects all positions to keys and values. This form moves both projections to the query's side:

    z       = LayerNorm without gain and offset, shared by keys and values
    t       = (Q W_k) * g_k                         Q W_k: the query carried through the key projection
    logits  = t . z / sqrt(width)
    pooled  = sum_w softmax(logits)_w z_w
    mined   = W_v (g_v * pooled + b_v) + c_v

It is exact because (1) what is constant inside a window (the key's LayerNorm offset and bias) cancels in the softmax
and (2) softmax weights sum to 1, so a linear map and its bias may follow the pooling. By (1) the two key biases have
zero gradient, mathematically; here they do not enter the graph at all, and their `.grad` stays None.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.models.projectors import linear_of, norm_of


def windows(
    map_: Float[Tensor, "batch channels side side"], grid: int
) -> Float[Tensor, "batch queries window channels"]:
    """Cut the map into grid x grid squares; squares and the positions inside each are row-major."""
    batch, channels, side, _ = map_.shape
    m = side // grid
    cut = map_.view(batch, channels, grid, m, grid, m).permute(0, 2, 4, 3, 5, 1)
    return cut.reshape(batch, grid * grid, m * m, channels)


def mine(
    query: Float[Tensor, "batch queries width"],
    map_: Float[Tensor, "batch channels side side"],
    query_projector: nn.Sequential,
    key_projector: nn.Sequential,
    value_projector: nn.Sequential,
) -> Float[Tensor, "batch queries width"]:
    """What each query finds in its window; the caller adds it to the query.

    Each projector is LayerNorm then Linear; keys and values must share LayerNorm's eps.
    """
    key_norm, value_norm = norm_of(key_projector), norm_of(value_projector)
    if key_norm.eps != value_norm.eps:
        raise ValueError(f"keys and values normalise with different eps ({key_norm.eps}, {value_norm.eps})")
    grid = round(query.shape[1] ** 0.5)
    z = F.layer_norm(windows(map_, grid), key_norm.normalized_shape, eps=key_norm.eps)
    projected = query_projector(query)
    t = (projected @ linear_of(key_projector).weight) * key_norm.weight
    weights = window_softmax((z @ t.unsqueeze(-1)).squeeze(-1), width=projected.shape[-1])
    pooled = (weights.unsqueeze(-2) @ z).squeeze(-2)
    return linear_of(value_projector)(pooled * value_norm.weight + value_norm.bias)


def window_softmax(
    logits: Float[Tensor, "batch queries window"], *, width: int
) -> Float[Tensor, "batch queries window"]:
    """softmax(logits / sqrt(width)); a NaN logit counts as 0, as in the original."""
    return torch.softmax((logits / width**0.5).nan_to_num(), dim=-1)
