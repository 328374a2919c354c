"""Peaks of one training step of MGM-2B, predicted: the real step traced on the meta device (`lora_demo.memory`)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from lora_demo.figures.registry import both, figure
from lora_demo.memory.predict import Prediction, Setting, predict
from lora_demo.results.record import installed_versions

TOLERANCE = 0.01
"""Other versions of transformers may keep a tensor more or less; on the same versions the trace is deterministic."""

RUNS: dict[str, Setting] = {
    "full_foreach": Setting("mgm-2b", "full", optimizer="foreach"),
    "full_forloop": Setting("mgm-2b", "full", optimizer="for-loop"),
    "full_fused": Setting("mgm-2b", "full", optimizer="fused"),
    "full_adam8bit_lean": Setting("mgm-2b", "full", optimizer="adamw8bit", checkpointing=True, supervised=64),
    "lora_r8": Setting("mgm-2b", "lora:r=8,targets=all"),
    "lora_r16": Setting("mgm-2b", "lora:r=16,targets=all"),
    "lora_r32": Setting("mgm-2b", "lora:r=32,targets=all"),
    "lora_r16_qv": Setting("mgm-2b", "lora:r=16,targets=q_proj+v_proj"),
    "lora_r16_lean": Setting("mgm-2b", "lora:r=16,targets=all", checkpointing=True, supervised=64),
}
LENGTHS = {
    "full_foreach": (704, 1024, 2048),
    "full_forloop": (704, 2048),
    "full_fused": (704,),
    "full_adam8bit_lean": (704, 2048),
    "lora_r8": (704,),
    "lora_r16": (704, 1024, 2048),
    "lora_r32": (704,),
    "lora_r16_qv": (704,),
    "lora_r16_lean": (704, 2048),
}
WORDS = {
    "full_foreach": both("纯 bf16 全参，foreach AdamW", "pure bf16 full fine-tuning, foreach AdamW"),
    "full_forloop": both("纯 bf16 全参，for-loop AdamW", "pure bf16 full fine-tuning, for-loop AdamW"),
    "full_fused": both("纯 bf16 全参，fused AdamW", "pure bf16 full fine-tuning, fused AdamW"),
    "full_adam8bit_lean": both(
        "全参，8-bit AdamW，激活重算，只算监督位置的 logits",
        "full fine-tuning, 8-bit AdamW, activation checkpointing, logits at supervised positions only",
    ),
    "lora_r8": both("LoRA r=8，七类线性层全挂", "LoRA r=8 on all seven linears"),
    "lora_r16": both("LoRA r=16，七类线性层全挂", "LoRA r=16 on all seven linears"),
    "lora_r32": both("LoRA r=32，七类线性层全挂", "LoRA r=32 on all seven linears"),
    "lora_r16_qv": both("LoRA r=16，只挂 q、v", "LoRA r=16 on q and v"),
    "lora_r16_lean": both(
        "LoRA r=16，七类线性层全挂，激活重算，只算监督位置的 logits",
        "LoRA r=16 on all seven linears, activation checkpointing, logits at supervised positions only",
    ),
}
CONDITIONS = both(
    "batch 1，一张图，bf16 权重，LoRA 的适配器是 fp32，foreach AdamW（另有说明的除外）；T 含 576 个图像位置；"
    "lean 只算 64 个监督位置的 logits，其余全算；预测值，没有在 GPU 上实测",
    "batch 1, one image, bf16 weights, LoRA adapters in fp32, foreach AdamW unless stated; T counts the 576 image "
    "positions; lean computes logits at 64 supervised positions, the others at all; predicted, not measured on a GPU",
)


@cache
def prediction(run: str, length: int) -> Prediction:
    """The traced step of a named run at T = length."""
    return predict(replace(RUNS[run], length=length))


def _register(run: str, length: int) -> None:
    words, at = WORDS[run], f"，T={length}"
    title = both(f"MGM-2B 一步的显存峰值：{words['zh']}{at}", f"MGM-2B, peak of one step: {words['en']}, T={length}")
    shared: dict[str, Any] = {
        "unit": "B",
        "kind": "predicted",
        "tolerance": TOLERANCE,
        "conditions": CONDITIONS,
        "environment": installed_versions,
    }

    def allocated() -> int:
        return prediction(run, length).peak_allocated

    def reserved() -> int:
        return prediction(run, length).peak_reserved

    figure(f"mgm2b.peak.{run}.t{length}", title=title, **shared)(allocated)
    held = both(title["zh"] + "（缓存分配器保留）", title["en"] + " (reserved by the allocator)")
    figure(f"mgm2b.peak_reserved.{run}.t{length}", title=held, **shared)(reserved)


for _run, _lengths in LENGTHS.items():
    for _length in _lengths:
        _register(_run, _length)


@figure(
    "mgm2b.peak.r8_to_r32.t704",
    unit="B",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both("r 从 8 提到 32，峰值多出多少（T=704）", "what going from r=8 to r=32 adds to the peak (T=704)"),
    conditions=CONDITIONS,
    environment=installed_versions,
)
def rank_cost() -> int:
    return prediction("lora_r32", 704).peak_allocated - prediction("lora_r8", 704).peak_allocated


@figure(
    "mgm2b.peak.lean_over_naive.t2048",
    unit="%",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both("LoRA r=16 省到底的峰值占朴素写法的比例（T=2048）", "LoRA r=16: lean peak over the naive one (T=2048)"),
    conditions=CONDITIONS,
    environment=installed_versions,
)
def lean_share() -> float:
    return prediction("lora_r16_lean", 2048).peak_allocated / prediction("lora_r16", 2048).peak_allocated


@figure(
    "mgm2b.peak.logits_share.t2048",
    unit="%",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both(
        "朴素写法里 logits 占峰值的比例（LoRA r=16，T=2048）",
        "share of the logits in the naive peak (LoRA r=16, T=2048)",
    ),
    conditions=CONDITIONS,
    environment=installed_versions,
)
def logits_share() -> float:
    found = prediction("lora_r16", 2048)
    return found.parts["logits"] / found.peak_allocated
