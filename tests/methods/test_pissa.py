"""PiSSA: principal part in the adapter, residual in the base, and the way back to plain LoRA."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.lora import LoRALinear
from lora_demo.methods.nf4 import NF4Linear
from lora_demo.methods.pissa import as_plain_lora, pissa_


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(12, 10)


@pytest.mark.parametrize("rslora", [False, True])
def test_adapter_is_the_truncated_svd(linear, rslora):
    weight = linear.weight.detach().clone()
    layer = pissa_(LoRALinear(linear, 3, 6, rslora=rslora))
    u, s, vt = torch.linalg.svd(weight)
    torch.testing.assert_close(layer.delta(), (u[:, :3] * s[:3]) @ vt[:3])
    torch.testing.assert_close(torch.linalg.svdvals(linear.weight)[:7], s[3:])
    torch.testing.assert_close(linear.weight + layer.delta(), weight)


@pytest.mark.parametrize("rslora", [False, True])
def test_way_back_restores_the_base_and_keeps_the_function(linear, rslora):
    weight, x = linear.weight.detach().clone(), torch.randn(5, 12)
    layer = pissa_(LoRALinear(linear, 3, 6, rslora=rslora))
    layer.lora_A.data += 0.1
    y = layer(x)
    plain = as_plain_lora(layer)
    assert plain.r == 6
    torch.testing.assert_close(plain(x), y)
    torch.testing.assert_close(plain.base.weight, weight)


def test_both_factors_get_a_gradient_at_once(linear):
    layer = pissa_(LoRALinear(linear, 3, 6))
    layer(torch.randn(5, 12)).square().sum().backward()
    assert layer.lora_A.grad.abs().max() > 0
    assert layer.lora_B.grad.abs().max() > 0


def test_refusals(linear):
    with pytest.raises(MethodError, match=r"no PiSSA start"):
        as_plain_lora(LoRALinear(linear, 3, 6))
    with pytest.raises(MergeRefused, match=r"quantised"):
        pissa_(LoRALinear(NF4Linear(linear), 3, 6))
