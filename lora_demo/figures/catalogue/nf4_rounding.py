"""How far NF4 moves a normally distributed weight: the yardstick for merging into a packed base."""

from __future__ import annotations

import torch

from lora_demo.figures.registry import both, figure
from lora_demo.methods import nf4

SIDE = 1_024
NORMAL = both(
    "1024² 的标准正态权重，块长 64，双重量化", "standard normal weight of 1024², blocks of 64, double quantisation"
)


def _rounded(weight: torch.Tensor) -> torch.Tensor:
    return nf4.dequantise(nf4.quantise(weight), tuple(weight.shape), weight.dtype)


@figure(
    "nf4.relative_error",
    unit="%",
    kind="predicted",
    tolerance=0.01,
    title=both("NF4 一来一回的相对误差", "relative error of one round trip through NF4"),
    conditions=NORMAL,
)
def relative_error() -> float:
    """‖W - Ŵ‖ / ‖W‖ in the Frobenius norm."""
    weight = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return ((weight - _rounded(weight)).norm() / weight.norm()).item()


@figure(
    "nf4.requantised_update.error",
    unit="%",
    kind="predicted",
    tolerance=0.02,
    title=both(
        "合并进 NF4 基座再量化，更新的相对误差",
        "relative error of an update merged into an NF4 base and quantised again",
    ),
    conditions=both(
        "标准正态权重 1024²，更新的秩为 16、范数是权重的 5%",
        "standard normal 1024² weight, an update of rank 16 and 5% of its norm",
    ),
)
def requantised_update_error() -> float:
    """‖(Q(Ŵ + ΔW) - Ŵ) - ΔW‖ / ‖ΔW‖ with Ŵ = Q(W): what packing the merged weight again leaves of the update."""
    random = torch.Generator().manual_seed(0)
    base = _rounded(torch.randn(SIDE, SIDE, generator=random))
    update = torch.randn(SIDE, 16, generator=random) @ torch.randn(16, SIDE, generator=random)
    update *= 0.05 * base.norm() / update.norm()
    return ((_rounded(base + update) - base - update).norm() / update.norm()).item()
