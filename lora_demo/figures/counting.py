"""What a method would train, counted on the modules of a built model."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

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


def lora(model: nn.Module, targets: str, rank: int) -> int:
    """LoRA's parameters: r x (in + out) for each target."""
    return sum(rank * (layer.in_features + layer.out_features) for layer in linears(model, TARGETS[targets]))
