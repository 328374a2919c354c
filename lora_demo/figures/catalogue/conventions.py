"""Bytes of training state per parameter: one line per convention, so that two answers can be told apart."""

from __future__ import annotations

from lora_demo.figures.registry import both, figure

# weights, gradients, first and second moment, master copy
PARTS: dict[str, tuple[float, ...]] = {
    "frozen_bf16": (2,),
    "full_bf16": (2, 2, 2, 2),
    "full_adam8bit": (2, 2, 1, 1),
    "full_mixed": (2, 2, 4, 4, 4),
    "full_fp32_moments": (2, 2, 4, 4),
    "full_deepspeed": (2, 4, 4, 4, 4),
    "full_fp32": (4, 4, 4, 4),
    "full_bf16_sgd": (2, 2),
    "full_bf16_momentum": (2, 2, 2),
}
WORDS = {
    "frozen_bf16": both("冻结的 bf16 权重", "a frozen bf16 weight"),
    "full_bf16": both("纯 bf16 AdamW 全参微调", "full fine-tuning with pure bf16 AdamW"),
    "full_adam8bit": both(
        "bf16 权重加 8-bit Adam（不计分块常数）", "bf16 weights with 8-bit Adam (block constants aside)"
    ),
    "full_mixed": both("标准混合精度 Adam（fp32 主权重）", "standard mixed-precision Adam (fp32 master weights)"),
    "full_fp32_moments": both("16 位权重和梯度，fp32 的两个矩", "16-bit weights and gradients, fp32 moments"),
    "full_deepspeed": both("DeepSpeed 的实现（梯度 fp32）", "DeepSpeed's implementation (fp32 gradients)"),
    "full_fp32": both("纯 fp32 Adam", "pure fp32 Adam"),
    "full_bf16_sgd": both("bf16 权重加不带动量的 SGD", "bf16 weights with plain SGD"),
    "full_bf16_momentum": both("bf16 权重加带动量的 SGD", "bf16 weights with SGD and momentum"),
}


@figure(
    "bytes_per_param.{convention}",
    unit="B/param",
    title=both("每个参数的字节数：{convention}", "bytes per parameter: {convention}"),
    conditions=both("权重、梯度、优化器状态之和，不含激活", "weights, gradients and optimizer state; no activations"),
    over={"convention": PARTS},
    words={"convention": WORDS},
)
def bytes_per_parameter(convention: str) -> int | float:
    return sum(PARTS[convention])


@figure(
    "bytes_per_param.adam8bit_constants",
    unit="B/param",
    title=both("8-bit Adam 两个矩的分块常数", "block constants of 8-bit Adam's two moments"),
    conditions=both("每 256 个值一个 fp32 常数", "one fp32 constant per 256 values"),
)
def adam8bit_constants() -> float:
    return 2 * 4 / 256


@figure(
    "bytes_per_param.nf4",
    unit="bits/param",
    title=both("NF4 每参数位数，不做双重量化", "bits per parameter of NF4 without double quantisation"),
    conditions=both("每 64 个权重一个 fp32 常数", "one fp32 constant per 64 weights"),
)
def nf4_bits() -> float:
    return 4 + 32 / 64


@figure(
    "bytes_per_param.nf4_double_quant",
    unit="bits/param",
    title=both("NF4 加双重量化的每参数位数", "bits per parameter of NF4 with double quantisation"),
    conditions=both(
        "常数再量化成 8 位，每 256 个常数一个 fp32", "constants quantised to 8 bits again, one fp32 per 256 of them"
    ),
)
def nf4_double_quant_bits() -> float:
    return 4 + 8 / 64 + 32 / (64 * 256)


@figure(
    "qlora.constants.{variant}",
    unit="bits/param",
    title=both("{variant}时量化常数每参数占的位数", "bits per parameter for quantisation constants {variant}"),
    over={"variant": ("plain", "double")},
    words={
        "variant": {
            "plain": both("不做双重量化", "without double quantisation"),
            "double": both("做双重量化", "with double quantisation"),
        }
    },
)
def constant_bits(variant: str) -> float:
    return (nf4_bits() if variant == "plain" else nf4_double_quant_bits()) - 4


@figure(
    "qlora.double_quant.saving",
    unit="bits/param",
    title=both("双重量化每参数省下的位数", "bits per parameter that double quantisation saves"),
)
def double_quant_saving() -> float:
    return nf4_bits() - nf4_double_quant_bits()


@figure(
    "bytes_per_param.mixed_over_inference",
    unit="ratio",
    title=both(
        "标准混合精度训练状态与 16 位推理权重之比", "mixed-precision training state over 16-bit inference weights"
    ),
)
def mixed_over_inference() -> float:
    return bytes_per_parameter("full_mixed") / bytes_per_parameter("frozen_bf16")


@figure(
    "bytes_per_param.bf16_over_inference",
    unit="ratio",
    title=both("纯 bf16 训练状态与推理权重之比", "pure bf16 training state over inference weights"),
)
def bf16_over_inference() -> float:
    return bytes_per_parameter("full_bf16") / bytes_per_parameter("frozen_bf16")
