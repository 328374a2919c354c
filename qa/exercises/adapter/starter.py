from torch import Tensor, nn


class Adapter(nn.Module):
    """h + W_up gelu(W_down h) with h = sublayer(x): behind a frozen sublayer whose outputs have `width` features."""

    def __init__(self, sublayer: nn.Module, width: int, bottleneck: int) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:  # [..., d_in] -> [..., width]
        raise NotImplementedError
