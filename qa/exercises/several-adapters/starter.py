from torch import Tensor, nn


def serve(base: nn.Linear, a: Tensor, b: Tensor, scale: Tensor, x: Tensor, which: Tensor) -> Tensor:
    """Row i of x through the base and through adapter which[i]; −1 is the base alone.

    a [n, r, d_in], b [n, d_out, r], scale [n] (each adapter's α/r), x [batch, time, d_in], which [batch] of integers;
    the result is [batch, time, d_out].
    """
    raise NotImplementedError
