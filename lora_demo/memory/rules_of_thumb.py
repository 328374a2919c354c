"""What common calculators and rules answer for a run of the published comparison (Llama-3.2-3B, bf16, batch 4).

    accelerate   `accelerate estimate-memory --dtypes bfloat16`, training with Adam: four times the bf16 weights,
                 whatever is trained (commands/estimate.py, utils/modeling.py)
    2 B/param    LLaMA-Factory's hardware table for LoRA in 16 bits; 8 B/param for full fine-tuning in bf16
    16 B/param   mixed-precision Adam on what trains, two bytes on what is frozen (Rajbhandari et al. 2020)

None of them looks at batch, length, vocabulary or adapters. What fitcheck-llm says, which does, is a record of its own.
"""

from __future__ import annotations

BASE = 3_212_749_824


def said(trainable: int, *, full: bool) -> dict[str, float]:
    """Bytes by rule."""
    return {
        "accelerate": 8 * BASE,
        "per_parameter": (8 if full else 2) * BASE,
        "mixed_adam": 16 * trainable + (0 if full else 2 * BASE),
    }
