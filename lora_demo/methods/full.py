"""Full fine-tuning: every parameter is the adapter. The trivial member, and the yardstick for all others.

W' = W + ΔW,      ΔW of any rank, as many trained values as W has
"""

from __future__ import annotations

from torch import nn

from lora_demo.methods import surgery


def apply_full(model: nn.Module) -> list[str]:
    """Declare every parameter of `model` trainable; a tied weight counts once.

    On a composite, apply it to the parts that train and then call `surgery.freeze` on the whole.
    """
    for module in model.modules():
        surgery.declare(module, [name for name, _ in module.named_parameters(recurse=False)])
    surgery.freeze(model)
    return list(surgery.adapter_parameters(model))
