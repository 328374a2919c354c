"""DoRA: the rows' norms are m, the bias is left alone, the norm is a constant to autograd."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods.dora import DoRALinear


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = DoRALinear(nn.Linear(12, 10), 3, 6)
    nn.init.normal_(layer.lora_B)
    nn.init.uniform_(layer.magnitude, 0.5, 2)
    return layer


def test_row_norms_of_the_merged_weight_are_the_magnitudes(layer):
    torch.testing.assert_close(layer.folded()["weight"].norm(dim=1), layer.magnitude)


def test_formula(layer):
    x = torch.randn(5, 12)
    direction = layer.base.weight + 2 * layer.lora_B @ layer.lora_A
    weight = layer.magnitude[:, None] * direction / direction.norm(dim=1, keepdim=True)
    torch.testing.assert_close(layer(x), x @ weight.T + layer.base.bias)


def test_the_norm_gets_no_gradient(layer):
    x = torch.randn(5, 12)
    norm = layer.norm()
    assert not norm.requires_grad
    layer(x).sum().backward()
    gain = (layer.magnitude / norm).detach()
    by_hand = 2 * torch.outer(gain, torch.ones(5) @ x) @ layer.lora_A.T
    torch.testing.assert_close(layer.lora_B.grad, by_hand)


def test_bfloat16_keeps_its_dtype():
    layer = DoRALinear(nn.Linear(8, 8).bfloat16(), 2, 2, dtype=torch.float32)
    assert layer(torch.randn(3, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16
