"""Which AdamW a prediction assumes; the implementations differ by gigabytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor

from lora_demo.memory.tracing.paper_optimizers import PaperOptimizer, eight_bit_state, fused_state, paged_state

OptimizerName = Literal["foreach", "fused", "for-loop", "adamw8bit", "paged-adamw8bit"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)


def make_optimizer(name: OptimizerName, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """AdamW over the parameters (frozen ones never get state, since they have no gradient)."""
    if name == "fused":
        return PaperOptimizer(parameters, fused_state)
    if name == "adamw8bit":
        return PaperOptimizer(parameters, eight_bit_state)
    if name == "paged-adamw8bit":
        return PaperOptimizer(parameters, paged_state)
    return torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.1, foreach=name == "foreach")
