"""BitFit: train the biases that are there, freeze everything else.

    y = W x + b,      b trained, W frozen

Source: Ben Zaken et al. 2021, BitFit, arXiv:2106.10199, section 3. No parameters are added, so nothing has to be merged
and inference costs nothing extra. Known limits: Gemma, Llama and Qwen3 have no biases; there it is an error, not a
silent run. A shift of the output is all a bias can do: it cannot realise even a rank-1 change of W.
"""

from __future__ import annotations

from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError


def apply_bitfit(model: nn.Module) -> list[str]:
    """Declare every bias of `model` trainable, freeze the rest, return the biases' names."""
    owners = [module for module in model.modules() if "bias" in dict(module.named_parameters(recurse=False))]
    if not owners:
        raise MethodError(
            f"nothing to train: {type(model).__name__} has no biases (Gemma, Llama and Qwen3 are built without); "
            "use LoRA or IA3 instead, or LayerNorm tuning for a similar size"
        )
    for module in owners:
        surgery.declare(module, ["bias"])
    surgery.freeze(model)
    return list(surgery.adapter_parameters(model))
