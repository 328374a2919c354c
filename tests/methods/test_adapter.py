"""The bottleneck adapter: formula, placement, and why it cannot be merged."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lora_demo.methods import merging
from lora_demo.methods.adapter import ONE_PER_LAYER, BottleneckAdapter, apply_adapter
from lora_demo.methods.errors import MergeRefused, MethodError


@pytest.fixture
def adapter():
    torch.manual_seed(0)
    adapter = BottleneckAdapter(nn.Linear(8, 6), 3)
    nn.init.normal_(adapter.up.weight)
    return adapter


def test_formula(adapter):
    x = torch.randn(5, 8)
    h = adapter.base(x)
    bottleneck = F.gelu(h @ adapter.down.weight.T + adapter.down.bias)
    torch.testing.assert_close(adapter(x), h + bottleneck @ adapter.up.weight.T + adapter.up.bias)


def test_adapter_cannot_be_merged(tiny, adapter):
    # a counter-example: whatever a linear layer with bias computes, f(x) + f(-x) = 2 f(0)
    x = torch.randn(8)
    bent = adapter(x) + adapter(-x) - 2 * adapter(torch.zeros(8))
    assert bent.norm() > 0.1
    model = tiny("gemma")
    apply_adapter(model, bottleneck=4)
    with pytest.raises(MergeRefused, match=r"not a linear update"):
        merging.merge(model)


def test_two_per_layer_and_one_per_layer(tiny):
    two, one = tiny("gemma"), tiny("gemma")
    assert len(apply_adapter(two, bottleneck=4)) == 4
    assert len(apply_adapter(one, ONE_PER_LAYER, bottleneck=4)) == 2
    assert all(name.endswith("mlp.down_proj") for name in one.state_dict() if name.endswith("down_proj"))


def test_bert_has_both_places_under_one_ending(tiny):
    names = apply_adapter(tiny("bert"), ["output.dense"], bottleneck=4)
    assert len(names) == 4
    assert sum("attention" in name for name in names) == 2


@pytest.mark.parametrize("bottleneck", [0, -1, 6])
def test_refuses_bottleneck(bottleneck):
    with pytest.raises(MethodError, match=r"bottleneck=.*1\.\.5"):
        BottleneckAdapter(nn.Linear(8, 6), bottleneck)
