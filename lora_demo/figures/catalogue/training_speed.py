"""Arithmetic of training speed: passes per step, and what dequantising moves."""

from __future__ import annotations

from lora_demo.figures.counting import TARGETS, linears
from lora_demo.figures.geometry import language_model
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE


@figure(
    "flops.lora_share_of_full.checkpointing",
    unit="%",
    title=both(
        "开检查点后 LoRA 计算量占全参比例的下限",
        "lower limit of LoRA's compute as a share of full, with checkpointing",
    ),
    conditions=both(
        "前向、重算、输入梯度三遍，对全参的四遍；r 很小",
        "forward, recomputation and input gradient against four passes",
    ),
)
def checkpointing() -> float:
    return 3 / 4


# Passes of matrix products in a step without checkpointing: forward, input gradient and, in full, weight gradient.
PASSES = {"full": 3, "lora": 2}


@figure(
    "flops.checkpointing_extra.{method}",
    unit="%",
    title=both("开检查点后{method}一步多出的矩阵乘", "matrix products that checkpointing adds to a step of {method}"),
    conditions=both("多一遍前向，占原来几遍的比例；r 很小", "one more forward over the passes there were; small r"),
    over={"method": PASSES},
    words={"method": {"full": both("全参", "full fine-tuning"), "lora": both(" LoRA ", "LoRA")}},
)
def checkpointing_extra(method: str) -> float:
    return 1 / PASSES[method]


@figure(
    "qlora.dequantised_per_step.llama2_7b",
    unit="B",
    title=both(
        "Llama-2-7B 用 QLoRA 每步反量化写出的 bf16 权重", "bf16 weights that QLoRA dequantises per step of Llama-2-7B"
    ),
    conditions=both(
        "各层线性层，前向一遍、反向一遍；开检查点再多一遍",
        "the layers' linears, once forward and once backward; once more with checkpointing",
    ),
)
def dequantised() -> int:
    packed = sum(layer.weight.numel() for layer in linears(language_model("llama-2-7b"), TARGETS["all"]))
    return 2 * packed * BYTES_PER_VALUE["bfloat16"]
