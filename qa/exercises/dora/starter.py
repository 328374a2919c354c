from torch import Tensor, nn


class DoRALinear(nn.Module):
    """y = m · V / ‖V‖ x + b with V = W + (α/r) B A. A: [r, d_in], B: [d_out, r], m: [d_out], one norm per row of V."""

    def __init__(self, base: nn.Linear, r: int, alpha: float) -> None:
        super().__init__()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:  # [..., d_in] -> [..., d_out]
        raise NotImplementedError
