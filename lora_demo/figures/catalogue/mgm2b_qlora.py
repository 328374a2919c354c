"""MGM-2B with its language model's linears in NF4, and how a packed weight misleads a parameter counter."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter, nf4_double_quant_bits
from lora_demo.figures.catalogue.mgm2b_lora import trainable
from lora_demo.figures.catalogue.mgm2b_parts import total
from lora_demo.figures.counting import TARGETS, linears
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure

QUANTISED = both(
    "语言模型的七类线性层按 NF4 加双重量化，其余 bf16",
    "the language model's seven linears in NF4 with double quantisation, the rest in bf16",
)
NF4_BITS, BITS_PER_BYTE = 4, 8


def _quantised_values() -> int:
    return sum(layer.weight.numel() for layer in linears(gemma_2b(), TARGETS["all"]))


@figure(
    "mgm2b.weights.nf4",
    unit="B",
    title=both("MGM-2B 语言模型量化成 NF4 后的权重", "MGM-2B's weights with the language model in NF4"),
    conditions=QUANTISED,
)
def weights() -> int:
    packed = _quantised_values()
    quantised = packed * nf4_double_quant_bits() / BITS_PER_BYTE
    return round(quantised + (total() - packed) * bytes_per_parameter("frozen_bf16"))


@figure(
    "mgm2b.states.qlora_r16_all",
    unit="B",
    title=both("MGM-2B QLoRA r=16 全挂的训练状态", "training state of QLoRA r=16 on all linears of MGM-2B"),
    conditions=both(
        QUANTISED["zh"] + "；适配器 bf16；不含激活和 logits",
        QUANTISED["en"] + "; bf16 adapters; no activations, no logits",
    ),
)
def states() -> int:
    return int(weights() + trainable("all", 16) * bytes_per_parameter("full_bf16"))


@figure(
    "mgm2b.quantised_share",
    unit="%",
    title=both("MGM-2B 里能量化成 NF4 的比例", "share of MGM-2B that goes to NF4"),
    conditions=QUANTISED,
)
def quantised_share() -> float:
    return _quantised_values() / total()


@figure(
    "packed4bit.undercount",
    unit="ratio",
    title=both("numel() 把打包的 4 位权重少数的倍数", "factor by which numel() undercounts a packed 4-bit weight"),
    conditions=both("一个 uint8 里装两个权重", "one uint8 holds two weights"),
)
def undercount() -> float:
    return BITS_PER_BYTE / NF4_BITS
