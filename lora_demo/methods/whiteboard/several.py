"""Several LoRA adapters in one batch, as on a whiteboard: one adapter per row, the base computed once for all.

    y_i = W x_i + b + s_k B_k A_k x_i,      k = which_i;  −1: the base alone

Known limits: all adapters have one rank (pad smaller ones with zeros), and each row gathers its own copy of A and B;
what serves in production reads them in place (Punica, arXiv:2310.18547; S-LoRA, arXiv:2311.03285).
The full version, with names and weighted sums: `methods.bank`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def serve(
    base: nn.Linear,
    a: Float[Tensor, "n r d_in"],
    b: Float[Tensor, "n d_out r"],
    scale: Float[Tensor, " n"],
    x: Float[Tensor, "batch time d_in"],
    which: Int[Tensor, " batch"],
) -> Float[Tensor, "batch time d_out"]:
    """Row i of x through the base and the adapter which[i]."""
    hidden = torch.einsum("btd,brd->btr", x, a[which])  # −1 takes the last adapter here, and loses it below
    update = torch.einsum("btr,bor->bto", hidden, b[which]) * scale[which, None, None]
    chosen = (which >= 0)[:, None, None]
    return base(x) + torch.where(chosen, update, 0.0)  # not chosen * update: 0 times NaN is NaN
