"""Weights, gradients and optimizer state of the whole MGM-2B, by method and convention; no activations, no logits."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter
from lora_demo.figures.catalogue.mgm2b_lora import trainable
from lora_demo.figures.catalogue.mgm2b_parts import full, total
from lora_demo.figures.registry import both, figure

FULL = both(
    "训练语言模型和投影层，视觉塔冻结；不含激活和 logits",
    "language model and projectors train, towers frozen; activations and logits not included",
)
LORA = both(
    "全部七类线性层，只训适配器；不含激活和 logits",
    "all seven linear layers, only adapters train; activations and logits not included",
)
STATES_OF = {
    "full_bf16": both("纯 bf16 AdamW", "pure bf16 AdamW"),
    "full_mixed": both("标准混合精度（fp32 主权重）", "standard mixed precision (fp32 master weights)"),
    "full_adam8bit": both("8-bit AdamW", "8-bit AdamW"),
}


def _with_frozen_rest(trained: int, convention: str) -> int:
    frozen = total() - trained
    return int(frozen * bytes_per_parameter("frozen_bf16") + trained * bytes_per_parameter(convention))


@figure(
    "mgm2b.states.inference_bf16",
    unit="B",
    title=both("MGM-2B 的 bf16 权重", "MGM-2B's weights in bf16"),
)
def inference() -> int:
    return _with_frozen_rest(0, "full_bf16")


@figure(
    "mgm2b.states.{convention}",
    unit="B",
    title=both("MGM-2B 全参微调的训练状态，{convention}", "training state of fully fine-tuning MGM-2B, {convention}"),
    conditions=FULL,
    over={"convention": STATES_OF},
    words={"convention": STATES_OF},
)
def full_states(convention: str) -> int:
    return _with_frozen_rest(full(), convention)


@figure(
    "mgm2b.states.full_bf16.weights",
    unit="B",
    title=both("纯 bf16 全参微调：权重", "pure bf16 full fine-tuning: weights"),
    conditions=FULL,
)
def full_weights() -> int:
    return 2 * total()


@figure(
    "mgm2b.states.full_bf16.gradients",
    unit="B",
    title=both("纯 bf16 全参微调：梯度", "pure bf16 full fine-tuning: gradients"),
    conditions=FULL,
)
def full_gradients() -> int:
    return 2 * full()


@figure(
    "mgm2b.states.full_bf16.moments",
    unit="B",
    title=both("纯 bf16 全参微调：Adam 两个矩", "pure bf16 full fine-tuning: Adam's two moments"),
    conditions=FULL,
)
def full_moments() -> int:
    return 4 * full()


@figure(
    "mgm2b.states.full_mixed.{part}",
    unit="B",
    title=both("混合精度全参微调：{part}", "mixed-precision full fine-tuning: {part}"),
    conditions=FULL,
    over={"part": ("master", "gradients", "moments")},
    words={
        "part": {
            "master": both("fp32 主权重", "fp32 master weights"),
            "gradients": both("bf16 梯度", "bf16 gradients"),
            "moments": both("fp32 的两个矩", "two moments in fp32"),
        }
    },
)
def mixed_part(part: str) -> int:
    return {"master": 4, "gradients": 2, "moments": 8}[part] * full()


@figure(
    "mgm2b.states.lora_r{rank}",
    unit="B",
    title=both("MGM-2B LoRA r={rank} 的训练状态", "training state of LoRA r={rank} on MGM-2B"),
    conditions=both(LORA["zh"] + "；适配器 bf16", LORA["en"] + "; bf16 adapters"),
    over={"rank": (8, 16, 32, 64)},
)
def lora_states(rank: int) -> int:
    """The frozen base in bf16 and pure bf16 AdamW on the adapters."""
    return int(inference() + trainable("all", rank) * bytes_per_parameter("full_bf16"))


@figure(
    "mgm2b.states.lora_r{rank}_fp32_adapters",
    unit="B",
    title=both(
        "MGM-2B LoRA r={rank}、fp32 适配器的训练状态", "training state of LoRA r={rank} with fp32 adapters on MGM-2B"
    ),
    conditions=both(LORA["zh"] + "；PEFT 默认 fp32 适配器", LORA["en"] + "; fp32 adapters, PEFT's default"),
    over={"rank": (8, 16, 32)},
)
def lora_states_fp32(rank: int) -> int:
    return int(inference() + trainable("all", rank) * bytes_per_parameter("full_fp32"))


@figure(
    "mgm2b.states.lora_r16.extra",
    unit="B",
    title=both("LoRA r=16 在冻结权重之外多占的状态", "what LoRA r=16 adds to the frozen weights"),
    conditions=both(LORA["zh"] + "；适配器 bf16", LORA["en"] + "; bf16 adapters"),
)
def lora_extra() -> int:
    return lora_states(16) - inference()


@figure(
    "mgm2b.states.r8_to_r32",
    unit="B",
    title=both("rank 从 8 提到 32，训练状态多出的字节", "training state added when the rank goes from 8 to 32"),
    conditions=both(LORA["zh"] + "；适配器 bf16", LORA["en"] + "; bf16 adapters"),
)
def rank_8_to_32() -> int:
    return lora_states(32) - lora_states(8)


@figure(
    "mgm2b.states.lora_saving",
    unit="B",
    title=both("纯 bf16 下 LoRA r=16 比全参少占的状态", "training state that LoRA r=16 saves over full, pure bf16"),
    conditions=LORA,
)
def lora_saving() -> int:
    return full_states("full_bf16") - lora_states(16)


@figure(
    "mgm2b.states.full_over_lora",
    unit="ratio",
    title=both("纯 bf16 下全参与 LoRA r=16 的训练状态之比", "training state of full over LoRA r=16, pure bf16"),
    conditions=LORA,
)
def full_over_lora() -> float:
    return full_states("full_bf16") / lora_states(16)
