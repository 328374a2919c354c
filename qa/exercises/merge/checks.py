"""What merging must do: each check works out W + (α/r) B A on its own, before the layer is handed over."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear

WIDTHS = st.integers(4, 8)
RANKS = st.integers(1, 4)
ALPHAS = st.sampled_from([1.0, 4.0, 16.0])
DTYPES = st.sampled_from([torch.float32, torch.bfloat16, torch.float16])


def trained(d_in, d_out, r, alpha, bias=True, dropout=0.0, dtype=torch.float32):
    """A LoRA layer after training, and W + (α/r) B A in double precision."""
    layer = LoRALinear(nn.Linear(d_in, d_out, bias=bias, dtype=dtype), r, alpha, dropout)
    with torch.no_grad():
        layer.A.normal_()
        layer.B.normal_()
        merged = layer.base.weight.double() + (alpha / r) * layer.B.double() @ layer.A.double()
    return layer, merged


@given(width=WIDTHS, r=RANKS, bias=st.booleans(), dtype=DTYPES)
def check_is_an_ordinary_linear_layer(answer, width, r, bias, dtype):
    layer, _ = trained(width, width + 3, r, 8.0, bias, dtype=dtype)
    merged = answer.merge(layer)
    assert isinstance(merged, nn.Linear), f"returned a {type(merged).__name__}, not an nn.Linear"
    names = [name for name, _ in merged.named_parameters()]
    assert names == ["weight", "bias"][: 1 + bias], f"the merged layer has the parameters {names}"
    assert merged.weight.dtype == dtype, f"the weight was {dtype} and is now {merged.weight.dtype}"
    assert merged.weight.is_leaf, "the merged weight still hangs on the graph of A and B: merge without gradients"


@given(width=WIDTHS, r=RANKS, alpha=ALPHAS)
def check_weight_is_w_plus_scaled_ba(answer, width, r, alpha):
    layer, expected = trained(width, width, r, alpha)  # square: no shape gives a wrong product away
    weight = answer.merge(layer).weight.detach()
    torch.testing.assert_close(weight, expected.float(), rtol=1e-4, atol=1e-4, msg="the weight is not W + (α/r) B A")


@given(sizes=st.tuples(WIDTHS, WIDTHS), r=RANKS, bias=st.booleans())
def check_gives_the_same_output(answer, sizes, r, bias):
    layer, _ = trained(*sizes, r, 8.0, bias)
    x = torch.randn(3, sizes[0])
    expected = layer(x).detach()
    out = answer.merge(layer)(x).detach()
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4, msg="the output is not the LoRA layer's any more")


@given(width=WIDTHS, p=st.sampled_from([0.1, 0.5]), training=st.booleans())
def check_dropout_plays_no_part(answer, width, p, training):
    layer, expected = trained(width, width, 2, 8.0, dropout=p)
    weight = answer.merge(layer.train(training)).weight.detach()
    close = torch.allclose(weight, expected.float(), rtol=1e-4, atol=1e-4)
    assert close, "the merged weight depends on dropout, which is off in inference"


@given(width=WIDTHS, r=RANKS, alpha=ALPHAS)
def check_rounds_once_in_bfloat16(answer, width, r, alpha):
    layer, exact = trained(4 * width, 4 * width, r, alpha, dtype=torch.bfloat16)
    weight = answer.merge(layer).weight.detach().double()
    best = (exact.bfloat16().double() - exact).abs()  # nothing in bfloat16 is nearer
    assert ((weight - exact).abs() <= best + 1e-5 * (1 + exact.abs())).all(), (
        "the bfloat16 weight is not the nearest one: there is a rounding before the last"
    )


@given(width=WIDTHS, r=RANKS, alpha=ALPHAS)
def check_a_second_merge_adds_nothing(answer, width, r, alpha):
    layer, expected = trained(width, width, r, alpha)
    answer.merge(layer)
    try:
        twice = answer.merge(layer).weight.detach()
    except RuntimeError:
        return
    torch.testing.assert_close(
        twice, expected.float(), rtol=1e-4, atol=1e-4, msg="merged a second time, B A is in the weight a second time"
    )
