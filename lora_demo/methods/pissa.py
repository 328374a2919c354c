"""PiSSA: LoRA that starts from the principal part of W instead of zero; the base keeps the residual.

    W = U S Vᵀ,   A = √(S_r / s) V_rᵀ,   B = U_r √(S_r / s),   W_res = W - s · B A,   s = α / r

The first output is the base's, but now A and B both get a gradient, along the largest directions of W.

Source: Meng et al. 2024, PiSSA, arXiv:2404.02948, equations 2-4; the way back to plain LoRA: appendix "converting".
Known limits: the base weight is rewritten, so switching the adapter off gives W_res, not the base (`merging.disabled`
refuses). `as_plain_lora` restores W up to rounding and turns the adapter into one of rank 2r.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import LoRALinear
from lora_demo.methods.module import refuse_quantised, wide


@torch.no_grad()
def pissa_(layer: LoRALinear) -> LoRALinear:
    """Give a fresh LoRA layer the PiSSA start, in place; the start is kept as buffers so that W can come back."""
    refuse_quantised(layer.base)
    weight = layer.base.get_parameter("weight")
    u, s, vt = torch.linalg.svd(wide(weight), full_matrices=False)
    root = (s[: layer.r] / layer.scale).sqrt()
    layer.lora_A.copy_(root[:, None] * vt[: layer.r])
    layer.lora_B.copy_(u[:, : layer.r] * root)
    # subtract what A and B really hold after rounding, so that the first output stays the base's
    weight.copy_(wide(weight) - layer.delta())
    layer.register_buffer("start_A", layer.lora_A.detach().clone())
    layer.register_buffer("start_B", layer.lora_B.detach().clone())
    layer.residual_base = True
    return layer


@torch.no_grad()
def as_plain_lora(layer: LoRALinear) -> LoRALinear:
    """The same function as rank-2r LoRA on the restored base: s(BA - B₀A₀) = s [B, -B₀] [A; A₀].

    The restored base is written into `layer.base`, which both layers share: drop the old layer.
    """
    if not layer.residual_base:
        raise MethodError("this LoRA layer has no PiSSA start, its base is whole already")
    start_a, start_b = layer.get_buffer("start_A"), layer.get_buffer("start_B")
    weight = layer.base.get_parameter("weight")
    weight.copy_(wide(weight) + wide(start_b) @ wide(start_a) * layer.scale)
    rank = 2 * layer.r
    alpha = layer.scale * (rank**0.5 if layer.rslora else rank)
    plain = LoRALinear(layer.base, rank, alpha, layer.dropout.p, layer.rslora, layer.lora_A.dtype)
    plain.lora_A.copy_(torch.cat([layer.lora_A, start_a]))
    plain.lora_B.copy_(torch.cat([layer.lora_B, -start_b], dim=1))
    return plain.train(layer.training)


def apply_pissa(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    r: int,
    alpha: int | float,
    dropout: int | float = 0.0,
    rslora: bool = False,
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Wrap the targets in LoRA with the PiSSA start and freeze the rest."""
    return surgery.wrap(model, targets, lambda base: pissa_(LoRALinear(base, r, alpha, dropout, rslora, dtype)))
