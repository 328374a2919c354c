"""Optimizers by name. Each implementation has its own temporary memory, so a figure of memory must name it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import nn

Implementation = Literal["foreach", "fused", "for-loop", "adamw8bit", "paged-adamw8bit"]
EIGHT_BIT = ("adamw8bit", "paged-adamw8bit")


class OptimizerUnavailable(RuntimeError):
    """An implementation that this machine does not have; the message says what to use instead."""


def require(implementation: Implementation, *, cuda: bool) -> None:
    """Raise OptimizerUnavailable if this machine cannot run the implementation."""
    if implementation not in EIGHT_BIT:
        return
    try:
        import bitsandbytes as _  # noqa: F401
    except ImportError as error:
        raise OptimizerUnavailable(
            f"optimizer.implementation {implementation} needs bitsandbytes: pip install bitsandbytes, or take fused"
        ) from error
    if implementation == "paged-adamw8bit" and not cuda:
        raise OptimizerUnavailable(
            "optimizer.implementation paged-adamw8bit moves state between GPU and host: without a CUDA device there is "
            "nothing to page; take adamw8bit"
        )


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    implementation: Implementation,
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) over the trainable parameters.

    Weight decay skips vectors (norm gains and biases), as is usual. "foreach", "fused" and "for-loop" compute the same
    update up to rounding; "foreach" is fast and takes temporaries of the parameters' size, "for-loop" takes least.
    "adamw8bit" (bitsandbytes; Dettmers et al. 2022, arXiv:2110.02861) keeps both moments in 8 bits with one scale per
    256 values, for tensors of 4,096 values and more; the paged form lets the driver move them to the host.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if not trainable:
        raise ValueError("no parameter is trainable: apply a method before building the optimizer")
    decayed: list[dict[str, Any]] = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in decayed if group["params"]]
    if implementation in EIGHT_BIT:
        return _eight_bit(groups, lr=lr, betas=betas, eps=eps, paged=implementation.startswith("paged"))
    return torch.optim.AdamW(
        groups,
        lr=lr,
        betas=betas,
        eps=eps,
        foreach=implementation == "foreach",
        fused=implementation == "fused" or None,
    )


def _eight_bit(groups: list[dict[str, Any]], *, paged: bool, **settings: Any) -> torch.optim.Optimizer:
    from bitsandbytes.optim.adamw import AdamW8bit, PagedAdamW8bit

    return (PagedAdamW8bit if paged else AdamW8bit)(groups, **settings)
