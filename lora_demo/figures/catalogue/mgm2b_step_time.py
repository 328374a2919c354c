"""How fast a LoRA step of MGM-2B can be at best on an RTX 4090: its multiplications over the card's peak throughput."""

from __future__ import annotations

from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from lora_demo.figures.counting import TARGETS, linears
from lora_demo.figures.geometry import gemma_2b, mgm_2b
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure

PASSES = 3
"""Forward, recomputed forward, gradient of the input; frozen weights need no gradient."""
FLOPS_PER_MULTIPLY_ADD = 2


@figure(
    "mgm2b.lora_step.floor_4090.t{length}",
    unit="s",
    title=both(
        "MGM-2B 一步 LoRA 在 4090 上的时间下限，T={length}",
        "lower limit of a LoRA step of MGM-2B on a 4090, T={length}",
    ),
    conditions=both(
        "batch 1，开激活重算；只算语言模型各层线性层的三遍和两座视觉塔的一遍，除以 bf16 稠密峰值算力；"
        "注意力、logits、适配器、搬运都没算，实际只会更慢",
        "batch 1, activations recomputed; three passes through the linears of the language model's layers and one "
        "through both towers, over the card's dense bf16 peak; without attention, logits, adapters and data movement",
    ),
    over={"length": (704,)},
)
def floor(length: int) -> float:
    weights = sum(layer.weight.numel() for layer in linears(gemma_2b(), TARGETS["all"]))
    operations = PASSES * FLOPS_PER_MULTIPLY_ADD * weights * length + tower_operations()
    return operations / (cited("rtx4090.bf16_tflops") * 1e12)


@cache
def tower_operations() -> int:
    """Of one picture through both frozen towers, counted on the meta device."""
    model = mgm_2b()
    sides = (model.config.clip.image_size, model.config.aux.image_size)
    views = [torch.empty(1, 3, side, side, device="meta") for side in sides]
    with FlopCounterMode(display=False) as counter:
        model.see(*views)
    return counter.get_total_flops()
