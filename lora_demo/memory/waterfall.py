"""From full fine-tuning at its naive peak to steps that fit 8 GB and, with an NF4 base, 6 GB: one saver at a time."""

from __future__ import annotations

from dataclasses import replace

from lora_demo.memory.predict import Setting

NAIVE = Setting("mgm-2b", "full", length=2048, optimizer="foreach")
_SELECTED = replace(NAIVE, supervised=64)
_FUSED = replace(_SELECTED, optimizer="fused")
_RECOMPUTED = replace(_FUSED, checkpointing=True)
STEPS: dict[str, Setting] = {
    "naive": NAIVE,
    "selected": _SELECTED,
    "fused": _FUSED,
    "recompute": _RECOMPUTED,
    "adamw8bit": replace(_RECOMPUTED, optimizer="adamw8bit"),
    "lora": replace(_RECOMPUTED, method="lora:r=16,targets=all"),
    "nf4": replace(_RECOMPUTED, method="qlora:r=16,targets=all"),
}
"""Each changes one thing of the one before; LoRA's few parameters afford fused AdamW again."""
