"""DoRA around one linear layer, as on a whiteboard.

    V = W + (α/r) B A,     W' = m · V / ‖V‖,     y = W' x + b

One norm per output, that is per row of PyTorch's weight; m starts at the rows' norms.

Source: Liu et al. 2024, DoRA, arXiv:2402.09353, equation 5; section 4.3 holds ‖V‖ constant in the backward pass.
The full version, which does not form W': `methods.dora`.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class DoRALinear(nn.Module):
    """y = m · (W + (α/r) B A) / ‖W + (α/r) B A‖ x + b"""

    def __init__(self, base: nn.Linear, r: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.scale = alpha / r
        self.m = nn.Parameter(base.weight.norm(dim=1))  # B is zero: m = ‖V‖, and the first output is the base's

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        direction = self.base.weight + self.scale * (self.B @ self.A)
        gain = self.m / direction.norm(dim=1).detach()  # a constant to autograd, as in section 4.3
        return F.linear(x, gain[:, None] * direction, self.base.bias)  # the bias keeps its length
