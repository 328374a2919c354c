"""NF4: the code book, the size, the error bound, and the gradient through the packed weight."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from lora_demo.methods import nf4
from lora_demo.methods.nf4 import NF4Linear, Packed, code_book, dequantise, quantise
from lora_demo.methods.qlora import apply_qlora

GAP = max(b - a for a, b in itertools.pairwise(code_book()))


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return NF4Linear(nn.Linear(256, 96))


def test_code_book_has_sixteen_values():
    book = code_book()
    assert len(book) == len(set(book)) == 16
    assert list(book) == sorted(book)
    assert (book[0], book[7], book[15]) == (-1.0, 0.0, 1.0)
    assert sum(value > 0 for value in book) == 8


def test_code_book_is_that_of_bitsandbytes():
    functional = pytest.importorskip("bitsandbytes.functional")
    theirs = functional.get_4bit_type("nf4", device="cpu")
    torch.testing.assert_close(torch.tensor(code_book()), theirs, rtol=0, atol=1e-6)


def test_bits_per_value():
    # enough blocks that the two leftovers (the mean, an incomplete group) do not show
    packed = NF4Linear(nn.Linear(2048, 1024, bias=False))
    assert packed.bits_per_value() == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-4)
    assert packed.packed.codes.numel() == 2048 * 1024 / 2


@pytest.mark.parametrize("numel", [1, 63, 64, 65, 64 * 256, 64 * 256 + 1])
def test_error_is_bounded_block_by_block(numel):
    weight = torch.randn(numel, generator=torch.Generator().manual_seed(numel))
    back = dequantise(quantise(weight), (numel,), torch.float32)
    blocks = list(zip(weight.split(64), back.split(64), strict=True))
    scales = torch.stack([block.abs().max() for block, _ in blocks])
    scale_error = (scales - scales.mean()).abs().max() / 254  # half of one of 127 steps
    for (block, rebuilt), scale in zip(blocks, scales, strict=True):
        assert (block - rebuilt).abs().max() <= scale * GAP / 2 + scale_error + 1e-6


def test_zeros_stay_zero_and_sixteen_levels_come_back():
    assert not dequantise(quantise(torch.zeros(130)), (130,), torch.float32).any()
    weight = torch.tensor(code_book()).repeat(4)
    torch.testing.assert_close(dequantise(quantise(weight), (64,), torch.float32), weight, rtol=0, atol=1e-6)


def test_input_gradient_uses_dequantised_weight(layer):
    x, grad = torch.randn(5, 256, requires_grad=True), torch.randn(5, 96)
    layer(x).backward(grad)
    torch.testing.assert_close(x.grad, grad @ layer.dequantised())
    assert not any(p.requires_grad for p in layer.parameters())


def test_saves_only_packed_data(layer):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        layer(torch.randn(5, 256, requires_grad=True))
    stored = {t.data_ptr() for t in layer.packed}
    assert len(saved) == len(Packed._fields)
    assert {t.data_ptr() for t in saved} == stored, "neither x nor a dequantised weight"


def test_forward_equals_the_dequantised_layer(layer):
    x = torch.randn(5, 256)
    torch.testing.assert_close(layer(x), nf4.to_linear(layer)(x))


def test_survives_a_cast_to_bfloat16(layer):
    before = layer.dequantised()
    assert torch.equal(layer.bfloat16().dequantised(), before)


def test_autocast(layer):
    x = torch.randn(5, 256, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(5, 96) @ layer.dequantised(), rtol=0.02, atol=0.05)


def test_qlora_trains_through_the_packed_base(tiny, tokens):
    model = tiny("gemma")
    names = apply_qlora(model, ["q_proj"], r=2, alpha=2, quantised=["q_proj", "up_proj"])
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    assert all(kinds[f"{name}.base"] == "NF4Linear" for name in names)
    assert kinds["model.layers.0.mlp.up_proj"] == "NF4Linear"
    assert kinds["model.layers.0.mlp.down_proj"] == "Linear"
    model(tokens).logits.sum().backward()
    assert model.get_parameter("model.layers.0.self_attn.q_proj.lora_B").grad.abs().max() > 0
