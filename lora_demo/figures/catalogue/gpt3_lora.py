"""The LoRA paper's GPT-3 numbers, redone: counts by its own formula, ratios from the values it prints."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import GB

LAYERS, WIDTH = 96, 12_288
FORMULA = both(
    "2 · 层数 · 矩阵数 · d · r，96 层，d = 12288", "2 · layers · matrices · d · r with 96 layers and d = 12,288"
)
PRINTED = both("由论文印出的数值算出", "computed from the values the paper prints")


@figure(
    "gpt3.lora.qv.r{rank}",
    unit="params",
    title=both("GPT-3 175B 上 LoRA r={rank}、挂 q、v 的参数量", "parameters of LoRA r={rank} on q and v of GPT-3 175B"),
    conditions=FORMULA,
    over={"rank": (1, 4, 8)},
)
def trainable(rank: int) -> int:
    return 2 * LAYERS * 2 * WIDTH * rank


@figure(
    "gpt3.lora.qv.r{rank}.ratio",
    unit="ratio",
    title=both(
        "GPT-3 175B 与其 LoRA r={rank}（q、v）的参数量之比",
        "GPT-3 175B over its LoRA r={rank} on q and v, in parameters",
    ),
    conditions=FORMULA,
    over={"rank": (1, 4, 8)},
)
def ratio(rank: int) -> float:
    return cited("hu2021.gpt3.params") / trainable(rank)


@figure(
    "gpt3.adapter_file.qv.r4",
    unit="B",
    title=both("GPT-3 175B 的 LoRA r=4（q、v）适配器文件", "adapter file of LoRA r=4 on q and v of GPT-3 175B"),
    conditions=both("fp16，只算张量", "fp16, tensors only"),
)
def adapter_file() -> int:
    return 2 * trainable(4)


@figure(
    "gpt3.states.full_mixed",
    unit="TB",
    title=both("GPT-3 175B 按每参数 16 字节的训练状态", "training state of GPT-3 175B at 16 bytes per parameter"),
    conditions=both(
        "十进制 TB，好和论文的 1.2 TB 对照；不含激活", "decimal TB, to set beside the paper's 1.2 TB; no activations"
    ),
)
def mixed_states() -> float:
    return cited("hu2021.gpt3.params") * bytes_per_parameter("full_mixed") / (1000 * GB)


@figure(
    "gpt3.states.fp16_weights",
    unit="GB",
    title=both("GPT-3 175B 的 fp16 权重", "fp16 weights of GPT-3 175B"),
    conditions=both("十进制 GB，好和论文的 350 GB 对照", "decimal GB, to set beside the paper's 350 GB"),
)
def fp16_weights() -> float:
    return cited("hu2021.gpt3.params") * 2 / GB


@figure(
    "hu2021.memory.ratio",
    unit="ratio",
    title=both("论文里全参与 LoRA 的训练显存之比", "training memory of full over LoRA in the paper"),
    conditions=PRINTED,
)
def memory_ratio() -> float:
    return 1000 * cited("hu2021.memory.full") / cited("hu2021.memory.lora")


@figure(
    "hu2021.throughput.gain",
    unit="%",
    title=both("论文原始数据里 LoRA 的吞吐提升", "LoRA's gain in throughput by the paper's raw figures"),
    conditions=PRINTED,
)
def throughput_gain() -> float:
    return cited("hu2021.throughput.lora") / cited("hu2021.throughput.full") - 1


@figure(
    "hu2021.time_saved",
    unit="%",
    title=both(
        "论文原始数据里 LoRA 每个 token 省下的时间", "time per token that LoRA saves by the paper's raw figures"
    ),
    conditions=PRINTED,
)
def time_saved() -> float:
    return 1 - cited("hu2021.throughput.full") / cited("hu2021.throughput.lora")


@figure(
    "hu2021.checkpoint.ratio",
    unit="ratio",
    title=both("论文里整个模型与 LoRA 检查点的大小之比", "whole checkpoint over LoRA checkpoint in the paper"),
    conditions=PRINTED,
)
def checkpoint_ratio() -> float:
    return 1000 * cited("hu2021.checkpoint.full") / cited("hu2021.checkpoint.lora")


@figure(
    "hu2021.wikisql.gap.{row}",
    unit="points",
    title=both("WikiSQL 上 {row} 减全参微调", "{row} minus full fine-tuning on WikiSQL"),
    conditions=both("论文自己给的波动是半个点", "the paper itself states half a point of fluctuation"),
    over={"row": ("lora_4_7m", "lora_37_7m")},
    words={
        "row": {
            "lora_4_7m": both("LoRA 4.7M", "LoRA with 4.7M"),
            "lora_37_7m": both("LoRA 37.7M", "LoRA with 37.7M"),
        }
    },
)
def wikisql_gap(row: str) -> float:
    return round(100 * (cited(f"hu2021.wikisql.{row}") - cited("hu2021.wikisql.ft")), 6)
