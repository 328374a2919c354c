"""AdaLoRA against LoRA of the same final budget: equal rank everywhere, or rank where the importance says so."""

from __future__ import annotations

from typing import Any

from lora_demo.lab.workshop import Workshop
from lora_demo.training.engine import adaptive_rank

ADAPTIVE, UNIFORM = "nano-adalora", "nano-lora-b"


def measure(lab: Workshop) -> dict[str, Any]:
    """`adaptive` and `uniform`: accuracies; `ranks`: what AdaLoRA left in each layer; `budget`: its sum."""
    adaptive = lab.trained(ADAPTIVE)
    part = lab.recipe(ADAPTIVE).adaptive_rank
    assert part is not None
    rank = int(part.final_rank)
    uniform = lab.trained(UNIFORM, f"method.r={rank}", f"method.alpha={2 * rank}")
    ranks = adaptive_rank.ranks(adaptive.model)
    return {
        "adaptive": lab.judge(adaptive.model),
        "uniform": lab.judge(uniform.model),
        "uniform_rank": rank,
        "ranks": ranks,
        "budget": sum(ranks.values()),
        "trainable": {"adaptive": adaptive.trainable, "uniform": uniform.trainable},
    }
