"""NF4 without double quantisation, as on a whiteboard. The full version: `methods.nf4`.

Source: Dettmers et al. 2023, QLoRA, arXiv:2305.14314, equation 4 and appendix E.
"""

from __future__ import annotations

from statistics import NormalDist

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def levels() -> Float[Tensor, " sixteen"]:
    """Quantiles of N(0, 1), eight above zero and seven below, an exact zero; scaled to [-1, 1]."""
    edge = (1 - 1 / 30 + 1 - 1 / 32) / 2  # not 1: its quantile is infinite
    above = [NormalDist().inv_cdf(0.5 + (edge - 0.5) * i / 8) for i in range(1, 9)]
    below = [-NormalDist().inv_cdf(0.5 + (edge - 0.5) * i / 7) for i in range(7, 0, -1)]
    return torch.tensor([*below, 0.0, *above]) / above[-1]


def quantise(weight: Float[Tensor, "..."], block: int = 64) -> tuple[UInt8[Tensor, " half"], Float[Tensor, "blocks 1"]]:
    """Two codes per byte, and one scale per block; the number of values must be a multiple of the block."""
    blocks = weight.reshape(-1, block)
    scale = blocks.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)  # a block of zeros must not divide by zero
    nearest = ((blocks / scale)[..., None] - levels()).abs().argmin(dim=-1)
    codes = nearest.to(torch.uint8).reshape(-1, 2)
    return codes[:, 0] << 4 | codes[:, 1], scale


def dequantise(
    packed: UInt8[Tensor, " half"], scale: Float[Tensor, "blocks 1"], shape: tuple[int, ...]
) -> Float[Tensor, "..."]:
    """ŵ = scale · level[code]"""
    codes = torch.stack([packed >> 4, packed & 15], dim=1).reshape(scale.shape[0], -1)
    return (levels()[codes.int()] * scale).reshape(shape)
