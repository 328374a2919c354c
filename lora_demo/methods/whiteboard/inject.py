"""Putting LoRA into a model by layer name, and counting what trains, as on a whiteboard.

The full version, with regular expressions and near names in its errors: `methods.surgery`, `methods.counting`.
"""

from __future__ import annotations

import math

from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear


def inject(model: nn.Module, targets: set[str], r: int, alpha: float) -> list[str]:
    """Wrap every linear layer whose last name is a target, freeze the rest; returns the names hit."""
    model.requires_grad_(False)  # first of all: embedding, norms and head would go on training
    hit = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in targets
    ]  # a finished list: the model changes below
    if not hit:
        raise ValueError(f"no linear layer is called {' or '.join(sorted(targets))}")
    for name in hit:
        parent, _, child = name.rpartition(".")
        owner = model.get_submodule(parent)
        setattr(owner, child, LoRALinear(getattr(owner, child), r, alpha))
    return hit


def count(model: nn.Module) -> tuple[int, int]:
    """(trainable, total) values; a tied weight counts once, a packed 4-bit weight by its values."""
    trainable = total = 0
    for parameter in model.parameters():  # yields a tied tensor once
        values = parameter.numel()
        if (packed := getattr(parameter, "quant_state", None)) is not None:
            values = math.prod(packed.shape)  # bitsandbytes stores two 4-bit values per byte
        total += values
        trainable += values if parameter.requires_grad else 0
    return trainable, total
