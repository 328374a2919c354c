"""Can a small adapter memorise a small data set? Capacity of the adapter against the information in the answers."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_lora import trainable
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure

EXAMPLES = 1_000
ANSWER_TOKENS = 100
SMALL_SET = both(
    "一千条样本，每条回答一百个 token，每个 token 约一比特",
    "1,000 examples, 100 answer tokens each, about one bit a token",
)


@figure("memorising.examples", unit="1", title=both("估算用的样本数", "examples in the estimate"))
def examples() -> int:
    return EXAMPLES


@figure(
    "memorising.answer_tokens",
    unit="tokens",
    title=both("估算用的每条回答长度", "length of an answer in the estimate"),
)
def answer_tokens() -> int:
    return ANSWER_TOKENS


@figure(
    "memorising.capacity.mgm2b.all.r16",
    unit="1",
    title=both("LoRA r=16 全挂大约能记住的比特数", "bits that LoRA r=16 on all linears can store, about"),
    conditions=both("按每个参数两比特的经验值", "at the empirical two bits per parameter"),
)
def capacity() -> int:
    return round(trainable("all", 16) * cited("schulman2025.capacity"))


@figure(
    "memorising.small_set",
    unit="1",
    title=both("一个小数据集的回答里有多少比特", "bits in the answers of a small data set"),
    conditions=SMALL_SET,
)
def small_set() -> int:
    return round(EXAMPLES * ANSWER_TOKENS * cited("schulman2025.bits_per_token"))


@figure(
    "memorising.capacity_over_small_set",
    unit="ratio",
    title=both(
        "适配器容量是小数据集信息量的多少倍", "capacity of the adapter over the information in a small data set"
    ),
    conditions=SMALL_SET,
)
def capacity_over_small_set() -> float:
    return capacity() / small_set()
