from torch import Tensor, nn


class Prefix(nn.Module):
    """Trained keys and values in front of an attention layer's own; two parameters of [heads, count, head_dim]."""

    def __init__(self, count: int, heads: int, head_dim: int) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # each [batch, heads, time, head_dim], and the result
        raise NotImplementedError
