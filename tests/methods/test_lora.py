"""LoRA's layer: its start, its scale, its dropout, and the settings it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import LoRALinear, apply_lora


def _layer(r: int = 4, alpha: float = 8, **settings: float) -> LoRALinear:
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(12, 10), r, alpha, **settings)
    nn.init.normal_(layer.lora_B)
    return layer


def test_identity_at_init(tiny, tokens):
    base, model = tiny("gemma"), tiny("gemma")
    apply_lora(model, "all", r=4, alpha=8)
    assert torch.equal(model(tokens).logits, base(tokens).logits)


def test_formula_of_the_output():
    layer, x = _layer(), torch.randn(5, 12)
    weight = layer.base.weight + 8 / 4 * layer.lora_B @ layer.lora_A
    torch.testing.assert_close(layer(x), x @ weight.T + layer.base.bias)


@pytest.mark.parametrize(("r", "alpha"), [(1, 1), (4, 8), (8, 4)])
def test_scale_is_alpha_over_r(r, alpha):
    layer, x = _layer(r, alpha), torch.randn(3, 12)
    update = F.linear(F.linear(x, layer.lora_A), layer.lora_B)
    torch.testing.assert_close(layer(x) - layer.base(x), alpha / r * update)


@pytest.mark.parametrize("r", [1, 4, 9])
def test_rslora_divides_by_the_root(r):
    layer, x = _layer(r, 8, rslora=True), torch.randn(3, 12)
    update = F.linear(F.linear(x, layer.lora_A), layer.lora_B)
    torch.testing.assert_close(layer(x) - layer.base(x), 8 / math.sqrt(r) * update)


def test_dropout_acts_on_the_input():
    layer, x = _layer(dropout=0.5).train(), torch.ones(64, 12)
    torch.manual_seed(3)
    y = layer(x)
    torch.manual_seed(3)
    dropped = F.dropout(x, 0.5)
    torch.testing.assert_close(y, layer.base(x) + 2 * dropped @ (layer.lora_B @ layer.lora_A).T)
    kept_whole = layer.base(x)
    assert ((y - kept_whole) != 0).any(dim=1).sum() > 60, "the base's path must see the whole input"


def test_dropout_is_off_in_eval():
    layer, x = _layer(dropout=0.9).eval(), torch.randn(8, 12)
    torch.testing.assert_close(layer(x), _layer(dropout=0.0)(x), rtol=0, atol=0)


def test_start_has_fan_in_d_in():
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(4096, 64), 8, 8)
    bound = 1 / math.sqrt(4096)
    assert layer.lora_A.abs().max() <= bound
    assert layer.lora_A.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not layer.lora_B.any()


@pytest.mark.parametrize("r", [0, -1, 11])
def test_refuses_rank(r):
    with pytest.raises(MethodError, match=r"rank must lie in 1\.\.10"):
        _layer(r=r)


@pytest.mark.parametrize("alpha", [0, -2.0, math.nan, math.inf])
def test_refuses_alpha(alpha):
    with pytest.raises(MethodError, match=r"alpha"):
        _layer(alpha=alpha)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5])
def test_refuses_dropout(dropout):
    with pytest.raises(MethodError, match=r"dropout.*\[0, 1\)"):
        _layer(dropout=dropout)


def test_refusal_leaves_the_model_alone(tiny, bits):
    model, before = tiny("llama"), bits(tiny("llama"))
    with pytest.raises(MethodError, match=r"rank"):
        apply_lora(model, ["q_proj", "k_proj"], r=17, alpha=1)  # fits q_proj (32 x 32), not k_proj (16 x 32)
    after = bits(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_float32_adapter_on_a_bfloat16_base():
    layer = LoRALinear(nn.Linear(8, 8).bfloat16(), 2, 2, dtype=torch.float32)
    assert layer.lora_A.dtype == torch.float32
    assert layer(torch.randn(3, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16
