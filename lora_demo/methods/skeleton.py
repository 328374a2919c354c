"""A model's shape without its memory."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from lora_demo.methods.surgery import adapter_parameters


def skeleton(model: nn.Module) -> nn.Module:
    """A deep copy of `model` whose tensors live on the meta device: surgery can be tried on it for free."""
    memo: dict[int, object] = {id(p): nn.Parameter(p.to("meta"), p.requires_grad) for p in model.parameters()}
    memo |= {id(buffer): buffer.to("meta") for buffer in model.buffers()}
    return copy.deepcopy(model, memo)


def adapted_shapes(model: nn.Module, apply: Callable[[nn.Module], object]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the adapter parameters that `apply` would declare; the model itself is not touched."""
    bare = skeleton(model)
    with torch.device("meta"):
        apply(bare)
    return {name: tuple(parameter.shape) for name, parameter in adapter_parameters(bare).items()}
