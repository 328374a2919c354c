"""Gradients at the first step, for each way to start A and B."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods.lora import LoRALinear


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return LoRALinear(nn.Linear(12, 10), 3, 6)


def _step(layer: LoRALinear, learning_rate: float = 0.1) -> tuple[float, float]:
    """One SGD step on a fixed problem; returns how far A and B moved."""
    x, goal = torch.linspace(-1, 1, 48).view(4, 12), torch.linspace(1, -1, 40).view(4, 10)
    before = layer.lora_A.detach().clone(), layer.lora_B.detach().clone()
    optimizer = torch.optim.SGD([layer.lora_A, layer.lora_B], lr=learning_rate)
    optimizer.zero_grad()
    (layer(x) - goal).square().mean().backward()
    optimizer.step()
    return tuple((now - old).norm().item() for now, old in zip((layer.lora_A, layer.lora_B), before, strict=True))


def test_first_step_moves_b_not_a(layer):
    moved_a, moved_b = _step(layer)
    assert moved_a == 0
    assert moved_b > 0
    assert _step(layer)[0] > 0, "from the second step on A moves too"


def test_mirrored_start_moves_a_not_b(layer):
    nn.init.zeros_(layer.lora_A)
    nn.init.normal_(layer.lora_B)
    moved_a, moved_b = _step(layer)
    assert moved_a > 0
    assert moved_b == 0


def test_both_zero_never_moves(layer):
    nn.init.zeros_(layer.lora_A)
    for _ in range(5):
        assert _step(layer) == (0, 0)


def test_both_random_changes_the_first_output(layer):
    nn.init.normal_(layer.lora_B)
    x = torch.ones(1, 12)
    assert not torch.allclose(layer(x), layer.base(x))


def test_base_gets_no_gradient(layer):
    _step(layer)
    assert layer.base.weight.grad is None
    assert layer.base.bias.grad is None
