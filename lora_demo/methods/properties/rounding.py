"""Bounds from the standard model of rounding, and comparisons that say where they fail.

    fl(a op b) = (a op b)(1 + δ), |δ| <= u;     n roundings on the way to a result cost at most γ_n = n u / (1 - n u)

relative to the sum of the absolute values of its terms. Source: Higham 2002, Accuracy and Stability of Numerical
Algorithms, section 3.1. u is half the distance from 1 to the next number.
"""

from __future__ import annotations

import torch
from jaxtyping import Num, Shaped
from torch import Tensor


def unit(dtype: torch.dtype) -> float:
    """u: 2⁻⁵³, 2⁻²⁴, 2⁻¹¹ and 2⁻⁸ in float64, float32, float16 and bfloat16."""
    return torch.finfo(dtype).eps / 2


def gamma(roundings: int, dtype: torch.dtype) -> float:
    """γ_n."""
    return roundings * unit(dtype) / (1 - roundings * unit(dtype))


def require(condition: bool | Tensor, message: str) -> None:
    """`assert` that python -O does not remove."""
    if not condition:
        raise AssertionError(message)


def require_equal(got: Shaped[Tensor, "*shape"], want: Shaped[Tensor, "*other"], what: str) -> None:
    """Bit for bit."""
    require(got.shape == want.shape, f"{what}: shape {tuple(got.shape)} instead of {tuple(want.shape)}")
    require(torch.equal(got, want), f"{what}: {int((got != want).sum())} of {got.numel()} values differ")


def require_within(
    got: Num[Tensor, "*shape"], want: Num[Tensor, "*other"], bound: float | Num[Tensor, "..."], what: str
) -> None:
    """|got - want| <= bound everywhere, compared in float64."""
    require(got.shape == want.shape, f"{what}: shape {tuple(got.shape)} instead of {tuple(want.shape)}")
    error = (got.detach().double() - want.detach().double()).abs()
    over = error - bound
    worst = int(over.argmax()) if over.numel() else 0
    require(
        bool((over <= 0).all()),
        f"{what}: got {got.detach().flatten()[worst].item():.6g}, want {want.detach().flatten()[worst].item():.6g} "
        f"(off by {error.flatten()[worst].item():.3g}, allowed {error.flatten()[worst] - over.flatten()[worst]:.3g})",
    )


def require_close(
    got: Num[Tensor, "*shape"],
    want: Num[Tensor, "*other"],
    what: str,
    roundings: int = 500,
    dtype: torch.dtype | None = None,
) -> None:
    """Equal but for that many roundings in `dtype` (its own), relative to the largest value there is (at least 1)."""
    size = max(1.0, want.detach().abs().max().item()) if want.numel() else 1.0
    require_within(got, want, gamma(roundings, dtype or got.dtype) * size, what)
