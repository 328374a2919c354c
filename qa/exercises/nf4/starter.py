from torch import Tensor


def levels() -> Tensor:  # [16]
    """The code book: quantiles of N(0, 1) scaled to [-1, 1], ascending, with an exact zero at code 7."""
    raise NotImplementedError


def quantise(weight: Tensor, block: int = 64) -> tuple[Tensor, Tensor]:
    """Two codes per byte, uint8 [values / 2], the earlier one in the high bits; one scale per block, [blocks, 1]."""
    raise NotImplementedError


def dequantise(packed: Tensor, scale: Tensor, shape: tuple[int, ...]) -> Tensor:
    """ŵ = scale · level[code], in the given shape."""
    raise NotImplementedError
