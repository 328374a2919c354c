"""Optimizers by name. Each implementation has its own temporary memory, so a figure of memory must name it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn

Implementation = Literal["foreach", "fused", "for-loop"]


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    implementation: Implementation,
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) over the trainable parameters.

    Weight decay skips vectors (norm gains and biases), as is usual. All three implementations compute the same update
    up to rounding; "foreach" is fast and takes temporaries of the parameters' size, "for-loop" takes least.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if not trainable:
        raise ValueError("no parameter is trainable: apply a method before building the optimizer")
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=lr,
        betas=betas,
        eps=eps,
        foreach=implementation == "foreach",
        fused=implementation == "fused" or None,
    )
