"""DoRA as on a whiteboard agrees with the full one, outputs and gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lora_demo.methods import dora
from lora_demo.methods.whiteboard.dora import DoRALinear


@pytest.fixture(params=[True, False], ids=["bias", "no-bias"])
def pair(request):
    """The short layer and the full one around the same base, trained by the same values."""
    base = nn.Linear(12, 10, bias=request.param)
    short, full = DoRALinear(copy.deepcopy(base), 4, 8.0), dora.DoRALinear(copy.deepcopy(base), 4, 8.0)
    assert torch.equal(short.m, full.magnitude)
    generator = torch.Generator().manual_seed(0)
    for ours, theirs in ((short.A, full.lora_A), (short.B, full.lora_B), (short.m, full.magnitude)):
        ours.data.normal_(generator=generator)
        theirs.data.copy_(ours.data)
    return short, full


def test_starts_as_the_base_and_trains_three_tensors():
    base, x = nn.Linear(12, 10), torch.randn(5, 12)
    layer = DoRALinear(copy.deepcopy(base), 4, 8.0)
    torch.testing.assert_close(layer(x), base(x))
    assert [name for name, p in layer.named_parameters() if p.requires_grad] == ["A", "B", "m"]


def test_output_and_gradients_are_the_full_layers(pair):
    short, full = pair
    x = torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(short(x), full(x), rtol=1e-4, atol=1e-4)
    for layer in pair:
        layer(x).square().sum().backward()
    for ours, theirs in ((short.A, full.lora_A), (short.B, full.lora_B), (short.m, full.magnitude)):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-3)


def test_merged_weight_is_the_full_layers(pair):
    short, full = pair
    merged = short(torch.eye(12)) - short(torch.zeros(12))
    torch.testing.assert_close(merged.T, full.folded()["weight"], rtol=1e-4, atol=1e-4)
