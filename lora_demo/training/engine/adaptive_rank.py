"""AdaLoRA in the loop: its regulariser and its shrinking budget hang on the optimizer's step.

    before the update   gradient += γ ∂/∂(P, Q) [‖PᵀP - I‖² + ‖QQᵀ - I‖²]  =  4γ P(PᵀP - I),  4γ (QQᵀ - I)Q
    after the update    importances are averaged, the singular values outside the budget b(t) become zero

The averages lie in the optimizer's state, beside Adam's own, so that checkpoints hold them without knowing of them.
Source: Zhang et al. 2023, AdaLoRA, arXiv:2303.10512, equation 4 and algorithm 1. Known limits: the regulariser's
gradient is added after clipping, and the reported loss is the data's alone; sharded parameters are not supported.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat
from torch import nn

from lora_demo.methods.adalora import AdaLoRALinear, RankAllocator
from lora_demo.methods.errors import MethodError

Fraction = Annotated[float, Field(ge=0, le=1)]
AVERAGES = ("sensitivity", "uncertainty")


class AdaptiveRankPart(BaseModel):
    """Where the ranks go.

    final_rank      average rank per layer at the end
    warmup, settle  parts of the run before the first and after the last cut
    orthogonality   γ
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    final_rank: PositiveFloat
    warmup: Fraction = 0.1
    settle: Fraction = 0.3
    orthogonality: Annotated[float, Field(ge=0)] = 0.1


def attach(model: nn.Module, optimizer: torch.optim.Optimizer, part: AdaptiveRankPart, steps: int) -> RankAllocator:
    """Hang regulariser and budget on every further `optimizer.step()`. Raises MethodError without AdaLoRA layers."""
    layers = [module for module in model.modules() if isinstance(module, AdaLoRALinear)]
    if not layers:
        raise MethodError("adaptive_rank spends the singular values of AdaLoRA: set method.name to adalora")
    allocator = RankAllocator(
        layers,
        final_rank=part.final_rank,
        warmup=round(part.warmup * steps),
        settle=round(part.settle * steps),
        total=steps,
    )
    # Accelerate's wrapper has no hooks of its own.
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    inner.register_step_pre_hook(lambda *_: _regularise(layers, part.orthogonality))
    inner.register_step_post_hook(lambda stepped, *_: _spend(allocator, stepped))
    return allocator


def ranks(model: nn.Module) -> dict[str, int]:
    """Singular values that are left, by layer."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, AdaLoRALinear)}
    return {name: int(layer.values.count_nonzero()) for name, layer in layers.items()}


@torch.no_grad()
def _regularise(layers: list[AdaLoRALinear], weight: float) -> None:
    for layer in layers:
        left, right = layer.left, layer.right
        unit = torch.eye(layer.r, device=left.device, dtype=left.dtype)
        _add(left, 4 * weight * left @ (left.T @ left - unit))
        _add(right, 4 * weight * (right @ right.T - unit) @ right)


def _add(parameter: nn.Parameter, gradient: torch.Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


def _spend(allocator: RankAllocator, optimizer: torch.optim.Optimizer) -> None:
    state: Any = optimizer.state
    for parameter in allocator.sensitivity:
        for name in AVERAGES:
            own = getattr(allocator, name)
            # After resuming, the optimizer's state is the one that was read back.
            own[parameter] = state[parameter].setdefault(name, own[parameter])
    allocator.step(int(state[allocator.layers[0].values]["step"]))
