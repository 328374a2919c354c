"""Someone else's packed weights: LoRA trains on them, merging is refused, the CPU trap is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods import merging
from lora_demo.methods.dora import DoRALinear
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.lora import LoRALinear, apply_lora

bitsandbytes = pytest.importorskip("bitsandbytes")


@pytest.fixture
def model():
    torch.manual_seed(0)
    packed = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type="nf4").to("cpu")
    model = nn.Sequential()
    model.add_module("proj", packed)
    apply_lora(model, ["proj"], r=2, alpha=2)
    nn.init.normal_(model.proj.lora_B)
    return model


def test_lora_trains_on_it(model):
    model.train()(torch.randn(3, 128)).sum().backward()
    assert model.proj.lora_A.dtype == torch.float32
    assert model.proj.lora_A.grad.abs().max() > 0


def test_merging_is_refused_and_nothing_changes(model):
    before = model.proj.base.weight.data.clone()
    with pytest.raises(MergeRefused, match=r"proj.*Linear4bit is quantised.*load the base unquantised"):
        merging.merge(model)
    assert torch.equal(model.proj.base.weight.data, before)


def test_the_repacked_weight_is_named(model):
    with torch.no_grad():
        model.eval()(torch.randn(3, 128))
    state = model.proj.base.weight.quant_state
    state.packing_format_for_cpu = True  # what that forward sets where the CPU has AVX512-BF16
    before = model.proj.base.weight.data.clone()
    with pytest.raises(MergeRefused, match=r"repacked this weight for CPU inference.*permuted"):
        merging.merge(model)
    assert torch.equal(model.proj.base.weight.data, before)


def test_dora_needs_values():
    packed = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type="nf4").to("cpu")
    with pytest.raises(MethodError, match=r"only nf4.NF4Linear is understood"):
        DoRALinear(packed, 2, 2)


def test_dora_on_our_own_packing():
    from lora_demo.methods.nf4 import NF4Linear

    torch.manual_seed(0)
    layer = DoRALinear(NF4Linear(nn.Linear(64, 32)), 2, 2)
    x = torch.randn(3, 64)
    torch.testing.assert_close(layer(x), layer.base(x))
    assert isinstance(LoRALinear(NF4Linear(nn.Linear(64, 32).bfloat16()), 2, 2).lora_A, nn.Parameter)
