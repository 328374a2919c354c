"""How much a LoRA can store against how much there is to learn: continued pre-training, and reinforcement learning."""

from __future__ import annotations

from lora_demo.figures.counting import lora
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure

MODEL = "llama-2-7b"
RANKS = (16, 256)
ROUGH = both(
    "Llama-2-7B，七类线性层全挂，每个参数约两比特；只看数量级",
    "Llama-2-7B, all seven linears, about two bits per parameter; an order of magnitude only",
)


@figure(
    "knowledge.corpus",
    unit="1",
    title=both("那批继续预训练语料大约有多少比特", "bits in that continued pre-training corpus, about"),
    conditions=both(
        "每个 token 粗算一比特（典型值，不是上限）；语料里已知的、重复的也算进去了",
        "about one bit a token, a typical value and no ceiling; known and repeated text included",
    ),
)
def corpus() -> int:
    return round(cited("biderman2024.cpt_tokens") * cited("schulman2025.bits_per_token"))


@figure(
    "knowledge.capacity.llama2_7b.r{rank}",
    unit="1",
    title=both("LoRA r={rank} 全挂大约能记住的比特数", "bits that LoRA r={rank} on all linears can store, about"),
    conditions=ROUGH,
    over={"rank": RANKS},
)
def capacity(rank: int) -> int:
    return round(lora(MODEL, "all", rank) * cited("schulman2025.capacity"))


@figure(
    "knowledge.corpus_over_capacity.r{rank}",
    unit="ratio",
    title=both("语料是 LoRA r={rank} 容量的多少倍", "the corpus over the capacity of LoRA r={rank}"),
    conditions=ROUGH,
    over={"rank": RANKS},
)
def corpus_over_capacity(rank: int) -> float:
    return corpus() / capacity(rank)


@figure(
    "knowledge.rl.capacity_over_bits",
    unit="ratio",
    title=both(
        "r=1 的容量是那次强化学习里信息量的多少倍",
        "capacity at r=1 over the information in that reinforcement learning",
    ),
    conditions=both("每条轨迹最多一比特，每个参数约两比特", "at most one bit an episode, about two bits per parameter"),
)
def rl_capacity_over_bits() -> float:
    return cited("schulman2025.rl.params") * cited("schulman2025.capacity") / cited("schulman2025.rl.bits")
