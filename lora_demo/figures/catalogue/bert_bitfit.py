"""BitFit where there are biases: BERT, counted on the meta device."""

from __future__ import annotations

from lora_demo.figures.counting import biases, parameters
from lora_demo.figures.geometry import bert
from lora_demo.figures.registry import both, figure

SIZES = ("base", "large")


@figure(
    "bert_{size}.params.total",
    unit="params",
    title=both("BERT-{size} 的参数量", "parameters of BERT-{size}"),
    over={"size": SIZES},
)
def total(size: str) -> int:
    return parameters(bert(size))


@figure(
    "bert_{size}.bias",
    unit="params",
    title=both("BERT-{size} 的 bias 数", "bias values in BERT-{size}"),
    over={"size": SIZES},
)
def bias_count(size: str) -> int:
    return biases(bert(size))


@figure(
    "bert_{size}.bias.share",
    unit="%",
    title=both("BERT-{size} 的 bias 占比", "share of BERT-{size} that is bias"),
    conditions=both("不含任务头", "without a task head"),
    over={"size": SIZES},
)
def bias_share(size: str) -> float:
    return bias_count(size) / total(size)
