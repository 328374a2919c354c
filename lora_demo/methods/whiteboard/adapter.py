"""A bottleneck adapter, as on a whiteboard. The full version: `methods.adapter`.

Source: Houlsby et al. 2019, arXiv:1902.00751, figure 2.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Adapter(nn.Module):
    """h + W_up gelu(W_down h): behind a sublayer, before the residual is added."""

    def __init__(self, sublayer: nn.Module, width: int, bottleneck: int) -> None:
        super().__init__()
        self.sublayer = sublayer.requires_grad_(False)
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        nn.init.zeros_(self.up.weight)  # with both zero the first output is the base's
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch width"]:
        h = self.sublayer(x)
        return h + self.up(F.gelu(self.down(h)))
