"""A frozen base in NF4: our own packing, which runs anywhere, or bitsandbytes' kernels, which are made for CUDA."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.nf4 import quantise_linears

Packing = Literal["own", "bitsandbytes"]


def pack(language_model: nn.Module, packing: Packing) -> list[str]:
    """Replace every linear layer but the output head by its NF4 form; returns their names."""
    if packing == "own":
        return quantise_linears(language_model, surgery.ALL)
    names = surgery.find(language_model, surgery.ALL)
    for name in names:
        language_model.set_submodule(name, _bitsandbytes(language_model.get_submodule(name)))
    return names


def _bitsandbytes(linear: nn.Module) -> nn.Module:
    """Double quantisation as in the paper; packed where the weight lies, which a later `.to()` does not repeat."""
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    assert isinstance(linear, nn.Linear)
    weight = linear.weight.detach()
    settings: dict[str, Any] = {"quant_type": "nf4", "compress_statistics": True}
    packed = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=weight.dtype,
        device="meta",
        **settings,
    )
    packed.weight = Params4bit(weight.contiguous(), requires_grad=False, **settings)
    if linear.bias is not None:
        packed.bias = nn.Parameter(linear.bias.detach(), requires_grad=False)
    return packed.to(weight.device)


def attention_biases(language_model: nn.Module) -> int:
    """Give the attention's four linear layers biases of zero, for a model built without; returns how many."""
    linears = [
        module
        for name, module in language_model.named_modules()
        if isinstance(module, nn.Linear) and name.rsplit(".", 2)[-2:-1] == ["self_attn"]
    ]
    for linear in linears:
        weight = linear.weight
        zeros = torch.zeros(linear.out_features, dtype=weight.dtype, device=weight.device)
        linear.bias = nn.Parameter(zeros, requires_grad=weight.requires_grad)
    return len(linears)
