"""IA3: where the factors act."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods.errors import MethodError
from lora_demo.methods.ia3 import IA3Linear, apply_ia3


@pytest.mark.parametrize("feedforward", [False, True])
def test_formula(feedforward):
    torch.manual_seed(0)
    layer, x = IA3Linear(nn.Linear(8, 6), feedforward), torch.randn(5, 8)
    nn.init.normal_(layer.factors)
    expected = layer.base(x * layer.factors) if feedforward else layer.factors * layer.base(x)
    torch.testing.assert_close(layer(x), expected)
    layer.merge()
    torch.testing.assert_close(layer.base(x), expected)


def test_feedforward_must_be_among_the_targets(tiny):
    with pytest.raises(MethodError, match=r"down_proj.*no target"):
        apply_ia3(tiny("gemma"), ["k_proj"], feedforward=["down_proj"])


def test_places(tiny):
    model = tiny("gemma")
    apply_ia3(model, ["k_proj", "down_proj"], feedforward=["down_proj"])
    assert model.model.layers[0].mlp.down_proj.factors.shape == (48,)
    assert model.model.layers[0].self_attn.k_proj.factors.shape == (8,)
