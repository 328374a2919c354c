"""The estimate one does in the head: bytes per parameter, then logits and layer inputs. Rough by design.

What it leaves out: whatever a layer holds while it runs, allocator slack, the CUDA context. `memory.predict` has those.
"""

from __future__ import annotations

BF16 = 2.0
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes per stored weight; NF4 with double quantisation."""
ADAM_BF16 = 2.0 + 2 + 2
ADAM_8BIT = 2.0 + 1 + 1
ADAM_MIXED = 2.0 + 4 + 4 + 4
"""Bytes per trained parameter beside its weight: gradient, two moments, under mixed precision a master copy too."""


def step_bytes(
    params: int | float,
    trained: int | float,
    weight: int | float = 2.0,  # bf16; NF4 takes 0.52
    state: int | float = 6.0,  # gradient and two moments in bf16; 8-bit Adam takes 4, mixed precision 14
    *,
    tokens: int = 0,
    layers: int = 0,
    hidden: int = 0,
    vocabulary: int = 0,
) -> dict[str, float]:
    """Bytes of one step by part, with checkpointing; `params` counts the adapter too, `tokens` = batch · length."""
    parts = {
        "weights": params * weight,
        "gradients and moments": trained * state,
        "layer inputs": 2.0 * tokens * hidden * layers,  # bf16; all that checkpointing keeps
        "logits": 12.0 * tokens * vocabulary,  # bf16 and fp32, values and gradients: 2 + 4 + 4 + 2
    }
    return {**parts, "total": sum(parts.values())}
