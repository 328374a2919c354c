"""MGM-2B swept over rank, length, batch and targets by the closed form, which is held against the trace to 2 %."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lora_demo.figures.registry import both, figure
from lora_demo.memory.cards import card
from lora_demo.memory.formula.closed_form import ALL, Request, data, estimate, every_point, model_dimensions
from lora_demo.results.units import GB, GIB

MODEL = "mgm-2b"
QV = ("q_proj", "v_proj")
PLAIN = Request(rank=16, targets=ALL)
FULL = Request(method="full")
LEAN = {"checkpointing": True, "supervised": 64}
LONGEST = 8192
NOTABLE = 0.1
WAYS: dict[str, Request] = {
    "full": FULL,
    "full_fused": replace(FULL, optimizer="fused"),
    "full_fused_lean": replace(FULL, optimizer="fused", **LEAN),
    "full_8bit_lean": replace(FULL, optimizer="adamw8bit", **LEAN),
    "lora": PLAIN,
    "lora_qv": replace(PLAIN, targets=QV),
    "lora_lean": replace(PLAIN, **LEAN),
}
WORDS = {
    "full": both("全参，foreach AdamW", "full, foreach AdamW"),
    "full_fused": both("全参，fused AdamW", "full, fused AdamW"),
    "full_fused_lean": both(
        "全参，fused AdamW，激活重算，只算监督位置的 logits",
        "full, fused AdamW, recomputed activations, logits at supervised positions",
    ),
    "full_8bit_lean": both(
        "全参，8-bit AdamW，激活重算，只算监督位置的 logits",
        "full, 8-bit AdamW, recomputed activations, logits at supervised positions",
    ),
    "lora": both("LoRA r=16，七类全挂", "LoRA r=16 on all seven linears"),
    "lora_qv": both("LoRA r=16，只挂 q、v", "LoRA r=16 on q and v"),
    "lora_lean": both(
        "LoRA r=16，七类全挂，激活重算，只算监督位置的 logits",
        "LoRA r=16 on all seven, recomputed activations, logits at supervised positions",
    ),
}
ADAPTERS = {"fp32": both("fp32 适配器", "fp32 adapters"), "bf16": both("bf16 适配器", "bf16 adapters")}
CONDITIONS = both(
    "batch 1（另有说明的除外），一张图，bf16 权重；闭式公式，和逐步追踪相差不超过百分之二；没有在 GPU 上实测",
    "batch 1 unless stated, one image, bf16 weights; by the closed form, within two percent of the trace; not measured "
    "on a GPU",
)
predicted = partial(figure, kind="predicted", conditions=CONDITIONS)


def version() -> dict[str, str]:
    """The closed form that these come from."""
    return {"closed_form": str(data()["version"])}


def peak(request: Request) -> int:
    return estimate(model_dimensions(MODEL), request).peak


def longest(fits: Callable[[int], bool]) -> int:
    """The largest length up to LONGEST that fits; 0 if not even a picture with a few words does. Peaks never shrink."""
    low, high = 600, LONGEST + 1
    if not fits(low):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@predicted(
    "mgm2b.rank_cost.{adapter}.r{rank}",
    unit="B",
    title=both(
        "r 从 8 提到 {rank}，峰值多多少（{adapter}，T=1024）",
        "what r=8 to r={rank} adds to the peak ({adapter}, T=1024)",
    ),
    over={"adapter": ADAPTERS, "rank": (16, 32, 64, 128, 256)},
    words={"adapter": ADAPTERS},
    environment=version,
)
def rank_cost(adapter: str, rank: int) -> int:
    start = replace(PLAIN, length=1024, adapter_fp32=adapter == "fp32")
    return peak(replace(start, rank=rank)) - peak(replace(start, rank=8))


@predicted(
    "mgm2b.rank_matters.{adapter}",
    unit="1",
    title=both(
        "从哪个 r 起，峰值比 r=8 高一成（{adapter}，T=1024）",
        "the rank from which the peak is a tenth above r=8's ({adapter}, T=1024)",
    ),
    over={"adapter": ADAPTERS},
    words={"adapter": ADAPTERS},
    environment=version,
)
def rank_matters(adapter: str) -> int:
    start = replace(PLAIN, length=1024, adapter_fp32=adapter == "fp32")
    limit = (1 + NOTABLE) * peak(replace(start, rank=8))
    return next(rank for rank in range(8, 2049) if peak(replace(start, rank=rank)) > limit)


@figure(
    "mgm2b.rank_matters_margin",
    unit="%",
    title=both(
        "算“高出一截”的门槛：峰值比 r=8 高多少", "what counts as a difference: how far the peak lies above r=8's"
    ),
)
def rank_matters_margin() -> float:
    return NOTABLE


@predicted(
    "mgm2b.kept.{way}.t{length}",
    unit="B",
    title=both(
        "前向结束时为反向留着的激活：{way}，T={length}", "activations kept for the backward pass: {way}, T={length}"
    ),
    over={"way": ("full", "lora", "lora_qv", "lora_lean"), "length": (704, 2048)},
    words={"way": WORDS},
    environment=version,
)
def kept(way: str, length: int) -> int:
    points = every_point(model_dimensions(MODEL), replace(WAYS[way], length=length))
    return max(parts["activations"] for parts in points.values())


@predicted(
    "mgm2b.batch_peak.{way}.b{batch}",
    unit="B",
    title=both("batch {batch} 的峰值：{way}，T=704", "peak at batch {batch}: {way}, T=704"),
    over={"way": ("lora", "lora_lean"), "batch": (4, 8)},
    words={"way": WORDS},
    environment=version,
)
def batch_peak(way: str, batch: int) -> int:
    return peak(replace(WAYS[way], length=704, batch=batch))


@predicted(
    "mgm2b.fits_4090.{way}",
    unit="1",
    title=both("4090 上最长能到多少（按分配的峰值）：{way}", "longest row on a 4090 by allocated bytes: {way}"),
    over={"way": WAYS},
    words={"way": WORDS},
    environment=version,
)
def fits_4090(way: str) -> int:
    budget = card("rtx4090").budget
    return longest(lambda length: peak(replace(WAYS[way], length=length)) <= budget)


@predicted(
    "mgm2b.notes_length.{claim}.b{batch}",
    unit="1",
    title=both(
        "笔记里的数对应的长度：{claim}，batch {batch}",
        "the length at which the notes' figure comes out: {claim}, batch {batch}",
    ),
    over={"claim": ("full_25gb", "full_25gib", "lora_18gb", "lora_18gib"), "batch": (1, 2)},
    words={
        "claim": {
            "full_25gb": both("fused 全参 25 GB（十进制）", "fused full fine-tuning, 25 GB (decimal)"),
            "full_25gib": both("fused 全参 25 GiB", "fused full fine-tuning, 25 GiB"),
            "lora_18gb": both("LoRA r=16 全挂 18 GB（十进制）", "LoRA r=16 on all linears, 18 GB (decimal)"),
            "lora_18gib": both("LoRA r=16 全挂 18 GiB", "LoRA r=16 on all linears, 18 GiB"),
        }
    },
    environment=version,
)
def notes_length(claim: str, batch: int) -> int:
    way, _, size = claim.partition("_")
    limit = {"25gb": 25 * GB, "25gib": 25 * GIB, "18gb": 18 * GB, "18gib": 18 * GIB}[size]
    request = replace(WAYS["full_fused" if way == "full" else "lora"], batch=batch)
    return longest(lambda length: peak(replace(request, length=length)) <= limit)


@predicted(
    "mgm2b.logits_rule.{way}",
    unit="1",
    title=both(
        "从哪个长度起，峰值里 logits 超过激活：{way}，所有位置都算",
        "the length from which logits exceed activations at the peak: {way}, whole logits",
    ),
    over={"way": ("lora_qv", "lora_recompute")},
    words={
        "way": {
            "lora_qv": WORDS["lora_qv"],
            "lora_recompute": both("LoRA r=16，七类全挂，激活重算", "LoRA r=16 on all seven, recomputed activations"),
        }
    },
    environment=version,
)
def logits_rule(way: str) -> int:
    request = WAYS["lora_qv"] if way == "lora_qv" else replace(PLAIN, checkpointing=True)
    return next(length for length in range(600, LONGEST) if _logits_lead(replace(request, length=length)))


def _logits_lead(request: Request) -> bool:
    parts = estimate(model_dimensions(MODEL), request).parts
    return parts["logits"] > parts["activations"]
