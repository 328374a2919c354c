"""Optimizers that hold the state of the real ones and compute nothing: for kernels that need a GPU.

fused AdamW (PyTorch)         two moments like the parameter and one fp32 step count per parameter, no temporaries
8-bit AdamW (bitsandbytes)    two moments of one byte per value with an fp32 scale per 256 values each; parameters of
                              fewer than 4096 values keep fp32 moments (Dettmers et al. 2022, arXiv:2110.02861)
paged 8-bit AdamW             the same, but the state of 100,000 values and more lies in unified memory: pages come to
                              the device while the update reads them and PyTorch's allocator never sees them
                              (bitsandbytes optim/optimizer.py, get_state_buffer)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

BLOCK = 256
SMALLEST_QUANTISED = 4096
SMALLEST_PAGED = 100_000

State = Callable[[Tensor], dict[str, Tensor]]


class PaperOptimizer(torch.optim.Optimizer):
    """Allocates `state(parameter)` at the first step in which the parameter has a gradient."""

    def __init__(self, parameters: Iterable[Tensor], state: State) -> None:
        super().__init__(parameters, defaults={})
        self._make_state = state

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and not self.state[parameter]:
                    self.state[parameter].update(self._make_state(parameter))


def fused_state(parameter: Tensor) -> dict[str, Tensor]:
    moments = {name: torch.empty_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
    return {**moments, "step": parameter.new_empty((), dtype=torch.float32)}


def eight_bit_state(parameter: Tensor) -> dict[str, Tensor]:
    count = parameter.numel()
    if count < SMALLEST_QUANTISED:
        return {name: torch.empty_like(parameter, dtype=torch.float32) for name in ("state1", "state2")}
    scales = -(-count // BLOCK)
    state = {name: torch.empty_like(parameter, dtype=torch.uint8) for name in ("state1", "state2")}
    return state | {name: parameter.new_empty(scales, dtype=torch.float32) for name in ("absmax1", "absmax2")}


def paged_state(parameter: Tensor) -> dict[str, Tensor]:
    """On the device only; the two float32 scales per block stay there."""
    state = eight_bit_state(parameter)
    if parameter.numel() < SMALLEST_PAGED:
        return state
    return {name: tensor for name, tensor in state.items() if name.startswith("absmax")}
