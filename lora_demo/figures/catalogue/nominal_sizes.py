"""Round sizes as interviewers name them (6B, 6.5B, 7B, 65B) times bytes per parameter, in decimal GB as in the head."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter, nf4_double_quant_bits
from lora_demo.figures.catalogue.seven_b import BITS_PER_BYTE, STATES, total
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import GB, GIB

BILLIONS = {"6b": 6.0, "6_5b": 6.5, "7b": 7.0, "65b": 65.0}
SIZES = {
    "6b": both("6B", "6B"),
    "6_5b": both("6.5B", "6.5B"),
    "7b": both("7B", "7B"),
    "65b": both("65B", "65B"),
}
V100_CARDS, V100_GIB = 4, 32
LEFT = {
    "frozen_bf16": both("65B 的 16 位权重", "16-bit weights of a 65B"),
    "int8": both("65B 的 8 位权重", "8-bit weights of a 65B"),
    "nf4": both("65B 的 NF4 权重", "NF4 weights of a 65B"),
}
SPLIT = LEFT | {"full_mixed": both("65B 全参混合精度的状态", "mixed-precision state of a 65B")}
CONVENTIONS = {
    "frozen_bf16": both("16 位权重", "16-bit weights"),
    "full_bf16": both("纯 16 位 AdamW", "pure 16-bit AdamW"),
    "full_bf16_momentum": both("16 位、只有一个矩", "16 bits with one moment only"),
    "full_adam8bit": both("8-bit AdamW", "8-bit AdamW"),
    "full_fp32_moments": both("16 位权重和梯度、fp32 矩", "16-bit weights and gradients, fp32 moments"),
    "full_mixed": both("标准混合精度", "standard mixed precision"),
    "full_deepspeed": both("DeepSpeed 的实现", "DeepSpeed's implementation"),
}


@figure(
    "nominal.{size}.{convention}",
    unit="GB",
    title=both("{size} 乘每参数字节数：{convention}", "{size} times bytes per parameter: {convention}"),
    conditions=both(STATES["zh"] + "；十进制 GB", STATES["en"] + "; decimal GB"),
    over={"size": BILLIONS, "convention": CONVENTIONS},
    words={"size": SIZES, "convention": CONVENTIONS},
)
def nominal(size: str, convention: str) -> float:
    return BILLIONS[size] * bytes_per_parameter(convention)


@figure(
    "nominal.{size}.nf4",
    unit="GB",
    title=both("{size} 全部按 NF4 加双重量化", "{size} entirely in NF4 with double quantisation"),
    conditions=both(
        "连词嵌入也算成 4 位，偏小；十进制 GB", "embedding counted in 4 bits too, so a little low; decimal GB"
    ),
    over={"size": ("7b", "65b")},
    words={"size": SIZES},
)
def nominal_nf4(size: str) -> float:
    return BILLIONS[size] * nf4_double_quant_bits() / BITS_PER_BYTE


@figure(
    "nominal.65b.int8",
    unit="GB",
    title=both("65B 的权重按 8 位存", "weights of a 65B in 8 bits"),
    conditions=both("不含缩放系数；十进制 GB", "scales not counted; decimal GB"),
)
def nominal_int8() -> float:
    return BILLIONS["65b"]


@figure(
    "nominal.four_v100",
    unit="GB",
    title=both("四张 V100-32G 的显存合计", "memory of four 32 GiB V100s together"),
    conditions=both("标称的 32 GiB 换成十进制 GB", "the nominal 32 GiB in decimal GB"),
)
def four_v100() -> float:
    return V100_CARDS * V100_GIB * GIB / GB


@figure(
    "nominal.65b.per_v100.{kind}",
    unit="GB",
    title=both("{kind} 分到四张卡，每张", "{kind} split over four cards, each"),
    conditions=both("均分，不含激活和缓冲；十进制 GB", "even split, without activations and buffers; decimal GB"),
    over={"kind": SPLIT},
    words={"kind": SPLIT},
)
def per_v100(kind: str) -> float:
    whole = {"nf4": lambda: nominal_nf4("65b"), "int8": nominal_int8}
    return (whole[kind]() if kind in whole else nominal("65b", kind)) / V100_CARDS


@figure(
    "nominal.65b.left_per_v100.{kind}",
    unit="GB",
    title=both("放下{kind}后每张卡剩", "left on each card beside {kind}"),
    conditions=both("标称显存减均分的权重；十进制 GB", "nominal memory less an even share; decimal GB"),
    over={"kind": LEFT},
    words={"kind": LEFT},
)
def left_per_v100(kind: str) -> float:
    return four_v100() / V100_CARDS - per_v100(kind)


@figure(
    "nominal.gb_in_gib",
    unit="ratio",
    title=both("1 GB 合多少 GiB", "one GB in GiB"),
)
def gb_in_gib() -> float:
    return GB / GIB


@figure(
    "nominal.7b.llama2_share",
    unit="ratio",
    title=both("Llama-2-7B 的参数量与整 7B 之比", "parameters of Llama-2-7B over a round 7B"),
)
def llama2_share() -> float:
    return total("llama2_7b") / (BILLIONS["7b"] * GB)
