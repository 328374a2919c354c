"""Every method of the registry on the same task: what it learns of family B, what it forgets of A, what it costs."""

from __future__ import annotations

from typing import Any

from lora_demo.lab.workshop import Workshop
from lora_demo.models import shipped

RECIPES = (
    *("nano-full-b", "nano-lora-b", "nano-rslora", "nano-dora", "nano-pissa", "nano-adalora", "nano-qlora"),
    *("nano-adapter", "nano-prefix", "nano-prompt", "nano-ia3", "nano-bitfit", "nano-layernorm"),
)
COSTS = ("trainable", "total", "seconds", "cpu_seconds", "steps", "loss")


def measure(lab: Workshop) -> dict[str, Any]:
    """`base`: accuracies before; `methods`: recipe -> method, accuracies after, cost."""
    return {"base": lab.judge(shipped.load_nano()), "methods": {name: _one(lab, name) for name in RECIPES}}


def _one(lab: Workshop, name: str) -> dict[str, Any]:
    done = lab.trained(name)
    cost = {key: value for key, value in done.summary().items() if key in COSTS}
    recipe = lab.recipe(name)
    return {"method": recipe.method.name, "lr": recipe.optimizer.lr, **lab.judge(done.model), **cost}
