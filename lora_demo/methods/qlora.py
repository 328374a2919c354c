"""QLoRA: LoRA on a frozen base in NF4.

    y = x dequantise(W_nf4)ᵀ + b + s · B A dropout(x)

The base is quantised once, after pretraining; no quantiser is learned (it is not quantisation-aware training). Only A
and B get gradients, but the gradient of x goes through the dequantised weight. Merging is refused: W + sBA does not lie
on the code book; dequantise a copy (`nf4.to_linear`) and merge there.

Source: Dettmers et al. 2023, QLoRA, arXiv:2305.14314, equation 5.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from lora_demo.methods.lora import apply_lora
from lora_demo.methods.nf4 import quantise_linears


def apply_qlora(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    r: int,
    alpha: int | float,
    dropout: int | float = 0.0,
    rslora: bool = False,
    dtype: torch.dtype | None = None,
    quantised: str | Iterable[str] = "all",
) -> list[str]:
    """Quantise the linear layers named by `quantised`, then wrap the targets in LoRA."""
    quantise_linears(model, quantised)
    return apply_lora(model, targets, r=r, alpha=alpha, dropout=dropout, rslora=rslora, dtype=dtype)
