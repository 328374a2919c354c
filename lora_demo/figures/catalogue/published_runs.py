"""Arithmetic on the published PEFT runs: how much of a difference is noise."""

from __future__ import annotations

import math

from lora_demo.figures.literature import cited, read
from lora_demo.figures.registry import both, figure
from lora_demo.results.paths import literature_file

NORMAL_95 = 1.959963984540054
BAND = both(
    "单次运行、n=1319 的 95% 二项区间半宽，不含换种子的波动",
    "half width of a 95% binomial interval for one run with n = 1,319; the spread between seeds comes on top",
)


@figure(
    "peft2026runs.accuracy_band",
    unit="points",
    title=both("单次运行准确率的误差带（±）", "error band of one run's accuracy (±)"),
    conditions=BAND,
)
def accuracy_band() -> float:
    accuracy, problems = cited("peft2026runs.lora_r32.accuracy"), cited("peft2026runs.test_size")
    return 100 * NORMAL_95 * math.sqrt(accuracy * (1 - accuracy) / problems)


@figure(
    "peft2026runs.difference_band",
    unit="points",
    title=both("两次运行准确率之差的误差带（±）", "error band of the difference of two runs (±)"),
    conditions=both(
        "两次独立运行之差的 95% 区间半宽：单次 n=1319 的二项半宽乘 √2，不含换种子的波动",
        "half width of a 95% interval for the difference of two independent runs: the binomial half width of one,"
        " n = 1,319, times √2; the spread between seeds comes on top",
    ),
)
def difference_band() -> float:
    return math.sqrt(2) * accuracy_band()


@figure(
    "peft2026runs.gap.{run}_over_full",
    unit="points",
    title=both("{run} 减全参微调的准确率", "accuracy of {run} minus full fine-tuning"),
    conditions=both(
        "两边各一次运行、一个种子，n=1319；误差带是 peft2026runs.difference_band",
        "one run and one seed on either side, n = 1,319; the error band is peft2026runs.difference_band",
    ),
    over={"run": ("lora_r32", "lora_r64_rslora", "lora_mlp_r10", "dora_r32")},
)
def gap_to_full(run: str) -> float:
    return 100 * (cited(f"peft2026runs.{run}.accuracy") - cited("peft2026runs.full.accuracy"))


@figure(
    "peft2026runs.full.drift",
    unit="points",
    title=both("全参微调一年前后的准确率之差", "drop in full fine-tuning's accuracy within a year"),
    conditions=both("同一套脚本", "the same scripts"),
)
def full_drift() -> float:
    return 100 * (cited("peft2026runs.full.accuracy_2025") - cited("peft2026runs.full.accuracy"))


@figure(
    "peft2026runs.full.bytes_per_param",
    unit="B/param",
    title=both(
        "全参微调每步之后每参数仍占的字节", "bytes per parameter still allocated after a step of full fine-tuning"
    ),
    conditions=both("纯 bf16 AdamW，含上一批的 logits", "pure bf16 AdamW, the last batch's logits included"),
)
def bytes_per_parameter_after_step() -> float:
    return cited("peft2026runs.full.allocated_after_step") / cited("peft2026runs.full.trainable")


@figure(
    "peft2026runs.memory_saved.lora_r32",
    unit="B",
    title=both("LoRA r=32 比全参少用的进程显存最大值", "process memory that LoRA r=32 saves over full fine-tuning"),
)
def memory_saved() -> int:
    return int(cited("peft2026runs.full.memory_max") - cited("peft2026runs.lora_r32.memory_max"))


@figure(
    "peft2026runs.speedup.lora_r32",
    unit="ratio",
    title=both("全参与 LoRA r=32 的训练步时间之比", "step time of full fine-tuning over LoRA r=32"),
    conditions=both(
        "各步时间之和，不含评测；一张 L40S，没开检查点",
        "sum of the step times without evaluation; one L40S, no checkpointing",
    ),
)
def speedup() -> float:
    return cited("peft2026runs.full.step_seconds") / cited("peft2026runs.lora_r32.step_seconds")


@figure(
    "peft2026runs.memory_max.range_{end}",
    unit="B",
    title=both("所列非全参运行的进程显存，{end}", "process memory of the listed runs other than full, {end}"),
    over={"end": ("low", "high")},
    words={"end": {"low": both("最低", "lowest"), "high": both("最高", "highest")}},
)
def memory_range(end: str) -> int:
    items = read(literature_file())["peft2026runs"].items
    values = [
        int(item.value) for name, item in items.items() if name.endswith(".memory_max") and name != "full.memory_max"
    ]
    return min(values) if end == "low" else max(values)
