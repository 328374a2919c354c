"""Merging: what it promises, and what it refuses with every weight untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods import merging, pissa, surgery
from lora_demo.methods.dora import apply_dora
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.ia3 import apply_ia3
from lora_demo.methods.lora import LoRALinear, apply_lora
from lora_demo.methods.qlora import apply_qlora

IN_EXACT_ARITHMETIC = {"rtol": 1e-12, "atol": 1e-12}
"""float64 over a handful of products: what is left is rounding, about 1e-15 per operation."""


@pytest.fixture
def model(tiny, perturb):
    model = tiny("gemma").double()
    apply_lora(model, "all", r=4, alpha=8)
    perturb(model)
    return model


def test_merged_equals_unmerged(model, tokens):
    apart = model(tokens).logits
    merging.merge(model)
    torch.testing.assert_close(model(tokens).logits, apart, **IN_EXACT_ARITHMETIC)
    merging.unload(model)
    assert not surgery.adapters(model)
    torch.testing.assert_close(model(tokens).logits, apart, **IN_EXACT_ARITHMETIC)


def test_merge_twice_is_refused(model, bits):
    merging.merge(model)
    once = bits(model)
    with pytest.raises(MergeRefused, match=r"already merged.*unmerge"):
        merging.merge(model)
    assert all(torch.equal(value, once[name]) for name, value in bits(model).items())


def test_unmerge_restores(model, bits):
    before = bits(model)
    merging.merge(model)
    assert not torch.equal(
        bits(model)["model.layers.0.mlp.up_proj.base.weight"], before["model.layers.0.mlp.up_proj.base.weight"]
    )
    merging.unmerge(model)
    for name, value in bits(model).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-15)


def test_unmerge_without_merge_is_refused(model):
    with pytest.raises(MergeRefused, match=r"nothing to unmerge"):
        merging.unmerge(model)


def test_bfloat16_merge_rounds_once():
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(64, 64, bias=False).bfloat16(), 8, 8, dtype=torch.float32)
    nn.init.normal_(layer.lora_B, std=0.1)
    exact = layer.base.weight.double() + layer.lora_B.double() @ layer.lora_A.double()
    layer.merge()
    # half a unit in the last place of bfloat16's 8 significant bits; float32 sums before it are 2^-16 finer
    assert ((layer.base.weight.double() - exact).abs() <= exact.abs() * 2**-8 * (1 + 2**-10)).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_adapter_is_refused_before_any_weight_changes(model, bits, value):
    last = list(surgery.adapter_parameters(model).values())[-1]
    last.data[0, 0] = value
    before = bits(model)
    with pytest.raises(MergeRefused, match=r"down_proj.*NaN or infinity.*No weight was changed"):
        merging.merge(model)
    after = bits(model)
    assert all(torch.equal(value, before[name]) for name, value in after.items() if ".base." in name)
    assert not any(module.merged for module in surgery.adapters(model).values())


def test_overflowing_merge_is_refused():
    layer = LoRALinear(nn.Linear(4, 4).half(), 1, 1, dtype=torch.float32)
    nn.init.constant_(layer.lora_A, 1e4)
    nn.init.constant_(layer.lora_B, 1e4)
    before = layer.base.weight.clone()
    with pytest.raises(MergeRefused, match=r"overflows torch.float16"):
        layer.merge()
    assert torch.equal(layer.base.weight, before)


def test_merging_into_a_packed_base_is_refused(tiny, bits):
    model = tiny("gemma")
    apply_qlora(model, "all", r=2, alpha=2)
    before = bits(model)
    with pytest.raises(MergeRefused, match=r"quantised.*to_linear.*merge there"):
        merging.merge(model)
    assert all(torch.equal(value, before[name]) for name, value in bits(model).items())


def test_nothing_to_merge(tiny):
    with pytest.raises(MergeRefused, match=r"no adapter"):
        merging.merge(tiny("gemma"))


def test_disabled_is_the_base_and_refuses_while_merged(tiny, tokens, perturb):
    base, model = tiny("gemma"), tiny("gemma")
    apply_lora(model, ["q_proj"], r=2, alpha=2)
    perturb(model)
    with merging.disabled(model):
        assert torch.equal(model(tokens).logits, base(tokens).logits)
    assert not torch.equal(model(tokens).logits, base(tokens).logits)
    merging.merge(model)
    with pytest.raises(MethodError, match=r"unmerge first"), merging.disabled(model):
        pass


def test_switching_off_pissa_is_refused(tiny):
    model = tiny("gemma")
    pissa.apply_pissa(model, ["q_proj"], r=2, alpha=2)
    with pytest.raises(MethodError, match=r"as_plain_lora"), merging.disabled(model):
        pass


def test_a_zero_that_erased_a_row_cannot_be_unmerged(tiny):
    for apply, settings in ((apply_ia3, {}), (apply_dora, {"r": 2, "alpha": 2})):
        model = tiny("gemma")
        apply(model, ["k_proj"], **settings)
        list(surgery.adapter_parameters(model).values())[-1].data[0] = 0
        merging.merge(model)
        with pytest.raises(MergeRefused, match=r"zero erased"):
            merging.unmerge(model)
