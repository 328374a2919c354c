"""Merging LoRA into its base, as on a whiteboard. The full version, which can also go back: `methods.merging`."""

from __future__ import annotations

import torch
from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear


@torch.no_grad()
def merge(layer: LoRALinear) -> nn.Linear:
    """The ordinary layer with W + (α/r) BA."""
    weight = layer.base.weight
    delta = layer.scale * (layer.B.float() @ layer.A.float())  # added in float32, rounded once
    weight.copy_((weight.float() + delta).to(weight.dtype))
    layer.B.zero_()  # so that a second merge adds nothing
    return layer.base


def merge_all(model: nn.Module) -> None:
    """Every LoRA layer becomes the ordinary layer it was, with the update inside."""
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, merge(module))
