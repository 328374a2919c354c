"""How far LoRA's start depends on getting the fan-in right."""

from __future__ import annotations

import math

from lora_demo.figures.catalogue.mgm2b_logits import hidden
from lora_demo.figures.registry import both, figure


@figure(
    "mgm2b.wrong_fan_in.r{rank}",
    unit="ratio",
    title=both(
        "A 存成 (d_in, r) 时 Kaiming 初值大多少倍，r={rank}",
        "how much larger Kaiming's start is for A stored as (d_in, r), r={rank}",
    ),
    conditions=both(
        "a=√5 的 Kaiming 均匀，界为 1/√fan_in；d_in 取 Gemma-2B 的隐藏维度",
        "Kaiming uniform with a=√5, bound 1/√fan_in; d_in is Gemma-2B's hidden size",
    ),
    over={"rank": (8, 16, 64)},
)
def wrong_fan_in(rank: int) -> float:
    return math.sqrt(hidden() / rank)
