"""Prefix tuning of one attention layer, as on a whiteboard. The full version, through the cache: `methods.prefix`.

Source: Li & Liang 2021, arXiv:2101.00190, section 4.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Prefix(nn.Module):
    """Trained keys and values in front of a layer's own; q, k and v come from the frozen projections."""

    def __init__(self, count: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, count, head_dim))
        self.values = nn.Parameter(torch.randn(heads, count, head_dim))

    def forward(
        self,
        q: Float[Tensor, "batch heads time dim"],
        k: Float[Tensor, "batch heads time dim"],
        v: Float[Tensor, "batch heads time dim"],
    ) -> Float[Tensor, "batch heads time dim"]:
        batch, time, count = q.shape[0], q.shape[2], self.keys.shape[1]
        k = torch.cat([self.keys.expand(batch, -1, -1, -1), k], dim=2)
        v = torch.cat([self.values.expand(batch, -1, -1, -1), v], dim=2)
        causal = torch.ones(time, time, dtype=torch.bool, device=q.device).tril()
        everyone = causal.new_ones(time, count)  # each position sees the whole prefix
        return F.scaled_dot_product_attention(q, k, v, attn_mask=torch.cat([everyone, causal], dim=1))
