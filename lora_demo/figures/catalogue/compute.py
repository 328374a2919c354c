"""Multiply-adds of a training step through the linear layers: what LoRA saves and what it does not."""

from __future__ import annotations

from lora_demo.figures.counting import TARGETS, linears
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure

LINEARS_ONLY = both(
    "只算各层线性层的乘加：前向、输入梯度、权重梯度各一遍",
    "multiply-adds of the layers' linears only: forward, input gradient and weight gradient, one pass each",
)


@figure(
    "flops.lora_share_of_full.r{rank}",
    unit="%",
    title=both(
        "Gemma-2B 各层全挂 LoRA r={rank} 的计算量占全参的比例",
        "compute of LoRA r={rank} on all linears of Gemma-2B's layers, as a share of full fine-tuning",
    ),
    conditions=LINEARS_ONLY,
    over={"rank": (8, 16, 64)},
)
def lora_share(rank: int) -> float:
    """Frozen weights cost two passes of three, the two factors cost all three."""
    frozen = trained = 0
    for layer in linears(gemma_2b(), TARGETS["all"]):
        frozen += layer.weight.numel()
        trained += rank * (layer.in_features + layer.out_features)
    return (2 * frozen + 3 * trained) / (3 * frozen)


@figure(
    "flops.lora_share_of_full",
    unit="%",
    title=both(
        "一个方阵上 LoRA 计算量占全参的比例的下限",
        "lower limit of LoRA's compute as a share of full, one square matrix",
    ),
    conditions=both(
        "(2N²+6Nr)/3N²，r 远小于 N 时趋近三分之二", "(2N²+6Nr)/3N², which tends to two thirds for r far below N"
    ),
)
def limit() -> float:
    return 2 / 3


@figure(
    "flops.unmerged_forward.r{rank}",
    unit="%",
    title=both(
        "Gemma-2B 全挂 LoRA r={rank} 不合并时前向多出的乘加",
        "extra forward multiply-adds of unmerged LoRA r={rank}, Gemma-2B",
    ),
    conditions=both(
        "只算各层线性层；实际延迟还看核的启动", "layers' linears only; latency also depends on kernel launches"
    ),
    over={"rank": (8, 16, 64)},
)
def unmerged_forward(rank: int) -> float:
    layers = linears(gemma_2b(), TARGETS["all"])
    return sum(rank * (m.in_features + m.out_features) for m in layers) / sum(m.weight.numel() for m in layers)
