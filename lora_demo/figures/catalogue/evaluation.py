"""How many test items a difference needs."""

from __future__ import annotations

import math

from lora_demo.figures.catalogue.published_runs import NORMAL_95
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
