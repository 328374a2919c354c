"""LayerNorm tuning: train the normalisation layers' gains (and biases, where there are any), freeze everything else.

    y = g ∘ x / rms(x)  (RMSNorm)  or  y = g ∘ (x - mean(x)) / std(x) + b  (LayerNorm),      g, b trained

Source: Zhao et al. 2023, Tuning LayerNorm in Attention, arXiv:2312.11420, section 3. No parameters are added.
"""

from __future__ import annotations

from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError


def apply_layernorm(model: nn.Module) -> list[str]:
    """Declare every normalisation layer's parameters trainable, freeze the rest, return their names."""
    norms = [m for m in model.modules() if type(m).__name__.endswith("Norm") and any(True for _ in m.parameters(False))]
    if not norms:
        raise MethodError(f"nothing to train: {type(model).__name__} has no normalisation layer with parameters")
    for module in norms:
        surgery.declare(module, [name for name, _ in module.named_parameters(recurse=False)])
    surgery.freeze(model)
    return list(surgery.adapter_parameters(model))
