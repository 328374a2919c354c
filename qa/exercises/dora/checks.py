"""What a DoRA linear layer must do: A, B and m are told apart by their shapes, not by their names."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

WIDTHS = st.integers(4, 8)
RANKS = st.integers(1, 3)
ALPHAS = st.sampled_from([1.0, 4.0, 16.0])


def built(answer, d_in, d_out, r, alpha, bias=True):
    """A layer, a copy of its base, and what trains in it: A [r, d_in], B [d_out, r], m [d_out]."""
    base = nn.Linear(d_in, d_out, bias=bias)
    layer = answer.DoRALinear(copy.deepcopy(base), r, alpha)
    own = {tuple(p.shape): p for p in layer.parameters() if p.requires_grad}
    shapes = [(r, d_in), (d_out, r), (d_out,)]
    assert sorted(own) == sorted(shapes), f"what trains has the shapes {sorted(own)}, expected {sorted(shapes)}"
    return base, layer, [own[shape] for shape in shapes]


def trained(parameters):
    with torch.no_grad():
        for parameter in parameters:
            parameter.normal_()


def formula(base, x, a, b, m, scale):
    """The definition, with the norm as a constant to autograd."""
    v = base.weight.detach() + scale * torch.einsum("or,ri->oi", b, a)
    norm = v.square().sum(dim=1).sqrt().detach()
    y = torch.einsum("...i,oi->...o", x, v) * (m / norm)
    return y if base.bias is None else y + base.bias


def close(found, expected, msg):
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4, msg=msg)


@given(d_in=WIDTHS, d_out=WIDTHS, r=RANKS)
def check_a_b_and_m_train(answer, d_in, d_out, r):
    _, layer, _ = built(answer, d_in, d_out, r, 8.0)
    count = sum(1 for p in layer.parameters() if p.requires_grad)
    assert count == 3, f"{count} tensors train, not 3: weight and bias of the base stay frozen"


@given(d_in=WIDTHS, d_out=WIDTHS, r=RANKS, bias=st.booleans())
def check_starts_as_the_base(answer, d_in, d_out, r, bias):
    base, layer, _ = built(answer, d_in, d_out, r, 8.0, bias)
    x = torch.randn(3, d_in)
    close(layer(x), base(x), "before any training the output differs from the base's")


@given(d_in=WIDTHS, d_out=WIDTHS, r=RANKS)
def check_a_is_random_b_is_zero_m_is_the_norms(answer, d_in, d_out, r):
    base, _, (a, b, m) = built(answer, d_in, d_out, r, 8.0)
    assert not b.any(), "B does not start at zero"
    assert a.unique().numel() == a.numel(), "A has equal entries, so it is not random"
    norms = torch.stack([row.square().sum().sqrt() for row in base.weight.detach()])
    close(m.detach(), norms, "m does not start at the norms of W's rows, one per output")


@given(d_in=WIDTHS, d_out=WIDTHS, r=RANKS, alpha=ALPHAS, bias=st.booleans())
def check_follows_the_formula(answer, d_in, d_out, r, alpha, bias):
    base, layer, own = built(answer, d_in, d_out, r, alpha, bias)
    trained(own)
    x = torch.randn(2, 3, d_in)
    close(layer(x), formula(base, x, *own, alpha / r), "not m · V / ‖V‖ x + b with V = W + (α/r) B A")


@given(width=WIDTHS, r=RANKS)
def check_m_alone_sets_the_length_of_each_row(answer, width, r):
    _, layer, own = built(answer, width, width, r, 8.0)
    trained(own)
    with torch.no_grad():
        lengths = (layer(torch.eye(width)) - layer(torch.zeros(width))).norm(dim=0)
    close(lengths, own[2].detach().abs(), "the rows of the merged weight do not have the lengths |m|")


@given(d_out=WIDTHS, r=RANKS)
def check_bias_is_added_unscaled(answer, d_out, r):
    base, layer, own = built(answer, 5, d_out, r, 8.0)
    trained(own)
    close(layer(torch.zeros(2, 5)), base.bias.expand(2, -1), "at x = 0 the output is not b")


@given(d_in=WIDTHS, d_out=WIDTHS, r=RANKS)
def check_gradients_take_the_norm_as_a_constant(answer, d_in, d_out, r):
    base, layer, own = built(answer, d_in, d_out, r, 8.0)
    trained(own)
    x = torch.randn(3, d_in)
    expected = torch.autograd.grad(formula(base, x, *own, 8.0 / r).square().sum(), own)
    layer(x).square().sum().backward()
    for name, parameter, wanted in zip("ABm", own, expected, strict=True):
        assert parameter.grad is not None, f"no gradient reaches {name}"
        scale = wanted.abs().max().clamp_min(1.0)
        close(parameter.grad / scale, wanted / scale, f"{name}'s gradient is not the one with ‖V‖ held constant")
