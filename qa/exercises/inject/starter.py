from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear  # LoRALinear(base, r, alpha): use it as it is


def inject(model: nn.Module, targets: set[str], r: int, alpha: float) -> list[str]:
    """Wrap every linear layer whose last name is a target, freeze the rest; returns the full names of the layers."""
    raise NotImplementedError
