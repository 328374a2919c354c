from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear


def merge(layer: LoRALinear) -> nn.Linear:
    """The ordinary layer with W + (α/r) B A.

    A LoRALinear has base (the nn.Linear), A [r, d_in], B [d_out, r], scale = α/r and dropout.
    """
    raise NotImplementedError
