"""Round sizes as interviewers name them (6B, 6.5B, 7B) times bytes per parameter, in decimal GB as in the head."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter, nf4_double_quant_bits
from lora_demo.figures.catalogue.seven_b import BITS_PER_BYTE, STATES, total
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import GB, GIB

BILLIONS = {"6b": 6.0, "6_5b": 6.5, "7b": 7.0}
SIZES = {"6b": both("6B", "6B"), "6_5b": both("6.5B", "6.5B"), "7b": both("7B", "7B")}
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
    "nominal.7b.nf4",
    unit="GB",
    title=both("7B 全部按 NF4 加双重量化", "7B entirely in NF4 with double quantisation"),
    conditions=both(
        "连词嵌入也算成 4 位，偏小；十进制 GB", "embedding counted in 4 bits too, so a little low; decimal GB"
    ),
)
def nominal_nf4() -> float:
    return BILLIONS["7b"] * nf4_double_quant_bits() / BITS_PER_BYTE


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
