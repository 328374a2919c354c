"""Bottleneck Adapter: a small network behind a sublayer, before its residual is added.

    h' = h + W_up σ(W_down h + b_down) + b_up,      W_down [m, d], W_up [d, m], m << d, σ = GELU

    Houlsby: two per layer, behind attention and behind the feed-forward part; variant: one, behind the latter.
    W_up and b_up start at zero, so that the first output is the base's (the paper: close to zero).

Source: Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP, arXiv:1902.00751, figure 2 and section 2.1.
2dm + m + d parameters each. Known limits: σ makes it non-linear, it cannot be merged into a linear layer and always
costs latency; the paper also trains the LayerNorms, we leave that to layernorm.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import AdapterModule, adapter_placement, linear_features

TWO_PER_LAYER = ("o_proj", "down_proj")
"""The last linear layer of attention and of the feed-forward part in Gemma, Llama and Qwen."""
ONE_PER_LAYER = ("down_proj",)


class BottleneckAdapter(AdapterModule):
    """The linear layer `base` that ends a sublayer, with a bottleneck of width `bottleneck` behind it."""

    adapter_parameter_names = ("down.weight", "down.bias", "up.weight", "up.bias")

    def __init__(self, base: nn.Module, bottleneck: int, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.in_features, self.out_features = linear_features(base)
        if not 1 <= bottleneck < self.out_features:
            raise MethodError(f"bottleneck={bottleneck}: must lie in 1..{self.out_features - 1}, below the width")
        self.bottleneck = bottleneck
        device, dtype = adapter_placement(base, dtype)
        self.down = nn.Linear(self.out_features, bottleneck, device=device, dtype=dtype)
        self.up = nn.Linear(bottleneck, self.out_features, device=device, dtype=dtype)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        h = self.base(x)
        if not self.enabled:
            return h
        return h + self.up(F.gelu(self.down(h.to(self.down.weight.dtype)))).to(h.dtype)


def apply_adapter(
    model: nn.Module,
    targets: str | Iterable[str] = TWO_PER_LAYER,
    *,
    bottleneck: int,
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Put a bottleneck behind every target and freeze the rest. BERT's targets: ("output.dense",)."""
    return surgery.wrap(model, targets, lambda base: BottleneckAdapter(base, bottleneck, dtype))
