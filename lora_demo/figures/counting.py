"""What a method trains, counted by applying it to a model on the meta device."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch import nn

from lora_demo.figures.geometry import fresh
from lora_demo.methods.counting import count_parameters
from lora_demo.methods.registry import apply

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")

TARGETS: dict[str, tuple[str, ...]] = {
    "qv": ("q_proj", "v_proj"),
    "qkvo": ATTENTION,
    "qvo": ("q_proj", "v_proj", "o_proj"),
    "qvo_gate": ("q_proj", "v_proj", "o_proj", "gate_proj"),
    "qvo_mlp": ("q_proj", "v_proj", "o_proj", *MLP),
    "all": (*ATTENTION, *MLP),
}


def parameters(module: nn.Module) -> int:
    """Every parameter once, tied ones too."""
    return sum(p.numel() for p in module.parameters())


def biases(module: nn.Module) -> int:
    """Values in parameters that are called bias."""
    return sum(p.numel() for name, p in module.named_parameters() if name.endswith("bias"))


def linears(model: nn.Module, names: Iterable[str]) -> list[nn.Linear]:
    """The linear layers whose last name component is one of `names`."""
    wanted = set(names)
    found = [m for name, m in model.named_modules() if name.rpartition(".")[2] in wanted and isinstance(m, nn.Linear)]
    if not found:
        raise ValueError(f"no linear layer of {type(model).__name__} is called {' or '.join(sorted(wanted))}")
    return found


def trained(model: str, method: str, **settings: Any) -> int:
    """Parameters that `method` trains on a freshly built language model."""
    adapted = fresh(model)
    with torch.device("meta"):
        apply(adapted, method, **settings)
    return count_parameters(adapted).trainable


@cache
def lora(model: str, targets: str, rank: int) -> int:
    """LoRA's parameters on the named target set."""
    return trained(model, "lora", targets=TARGETS[targets], r=rank, alpha=rank)
