"""How many test items a difference needs."""

from __future__ import annotations

import math

from lora_demo.figures.catalogue.published_runs import NORMAL_95, accuracy_band
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure

WORST_CASE = 0.25
BINOMIAL = both(
    "95% 二项区间，准确率取 50%（方差最大）", "95% binomial interval at an accuracy of one half, the worst case"
)


@figure(
    "eval.n_for_one_point",
    unit="1",
    title=both("误差带缩到正负一个点所需的测试题数", "test items for an error band of plus or minus one point"),
    conditions=BINOMIAL,
)
def items_for_one_point() -> int:
    return math.ceil((NORMAL_95 / 0.01) ** 2 * WORST_CASE)


@figure(
    "eval.band_n1319",
    unit="points",
    title=both("1319 道题的误差带（±）", "error band with 1,319 items (±)"),
    conditions=BINOMIAL,
)
def band() -> float:
    return 100 * NORMAL_95 * math.sqrt(WORST_CASE / cited("peft2026runs.test_size"))


LEAK = both(
    "1319 道题；泄漏的题全部答对，其余按 LoRA r=32 的准确率；误差带取该准确率下的 95% 二项区间",
    "1,319 items; leaked ones all right, the others at the accuracy of LoRA r=32; 95% binomial band at that accuracy",
)


@figure(
    "eval.leak.share_for_band",
    unit="%",
    title=both(
        "泄漏多少题，虚高就等于误差带的半宽", "leaked share of the test at which the inflation equals the error band"
    ),
    conditions=LEAK,
)
def leaked_share() -> float:
    return accuracy_band() / 100 / (1 - cited("peft2026runs.lora_r32.accuracy"))


@figure(
    "eval.leak.items_for_band",
    unit="1",
    title=both("同上，折成题数", "the same as a number of items"),
    conditions=LEAK,
)
def leaked_items() -> int:
    return round(leaked_share() * cited("peft2026runs.test_size"))
