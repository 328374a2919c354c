"""LoRA around one linear layer, as on a whiteboard.

    y = W x + b + (α/r) B A x,      A [r, d_in] random, B [d_out, r] zero

Source: Hu et al. 2021, LoRA, arXiv:2106.09685, equation 3. The full version, with its checks: `methods.lora`.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """y = W x + b + (α/r) B A x"""

    def __init__(self, base: nn.Linear, r: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)  # W and b are frozen
        # new_* keeps the base's dtype and device
        self.A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, r))  # zero: the first output is the base's
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))  # the fan-in is d_in
        self.scale = alpha / r
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        # two thin products, right to left: BA is never formed
        return self.base(x) + self.scale * (self.dropout(x) @ self.A.T @ self.B.T)
