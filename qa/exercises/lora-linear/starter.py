from torch import Tensor, nn


class LoRALinear(nn.Module):
    """y = W x + b + (α/r) B A x, around a frozen linear layer. A: [r, d_in], B: [d_out, r]."""

    def __init__(self, base: nn.Linear, r: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:  # [..., d_in] -> [..., d_out]
        raise NotImplementedError
