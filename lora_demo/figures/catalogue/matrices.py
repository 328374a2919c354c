"""LoRA on one matrix: the arithmetic an interviewer asks for on the whiteboard."""

from __future__ import annotations

from lora_demo.figures.counting import linears
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure

SIDE = 4096
RANKS = (1, 4, 8, 16, 32, 64)


@figure(
    "lora.square4096.full",
    unit="params",
    title=both("一个 4096×4096 矩阵的参数量", "parameters of one 4096×4096 matrix"),
)
def square() -> int:
    return SIDE * SIDE


@figure(
    "lora.square4096.r{rank}",
    unit="params",
    title=both("4096×4096 矩阵上 LoRA r={rank} 的参数量", "parameters of LoRA r={rank} on a 4096×4096 matrix"),
    over={"rank": RANKS},
)
def on_square(rank: int) -> int:
    return rank * (SIDE + SIDE)


@figure(
    "lora.square4096.r{rank}.share",
    unit="%",
    title=both("4096×4096 矩阵上 LoRA r={rank} 的占比", "share of LoRA r={rank} on a 4096×4096 matrix"),
    over={"rank": RANKS},
)
def on_square_share(rank: int) -> float:
    return on_square(rank) / square()


@figure(
    "lora.square4096.r{rank}.ratio",
    unit="ratio",
    title=both(
        "4096×4096 矩阵与其 LoRA r={rank} 的参数量之比", "a 4096×4096 matrix over its LoRA r={rank}, in parameters"
    ),
    over={"rank": RANKS},
)
def square_ratio(rank: int) -> float:
    return square() / on_square(rank)


@figure(
    "lora.square4096.break_even_rank",
    unit="1",
    title=both("4096×4096 矩阵上 LoRA 不再省参数的 rank", "rank at which LoRA on a 4096×4096 matrix saves nothing"),
    conditions=both("dk/(d+k)", "dk/(d+k)"),
)
def square_break_even() -> float:
    return SIDE * SIDE / (SIDE + SIDE)


@figure(
    "lora.gemma_{projection}.break_even_rank",
    unit="1",
    title=both(
        "Gemma-2B 的 {projection} 投影上 LoRA 不再省参数的 rank",
        "rank at which LoRA on Gemma-2B's {projection} projection saves nothing",
    ),
    conditions=both("dk/(d+k)", "dk/(d+k)"),
    over={"projection": ("q", "k", "down")},
)
def break_even(projection: str) -> float:
    layer = linears(gemma_2b(), [f"{projection}_proj"])[0]
    return layer.weight.numel() / (layer.in_features + layer.out_features)
