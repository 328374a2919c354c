"""What a bottleneck adapter must do: its two small layers are told apart by their shapes, not by their names."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

WIDTHS = st.integers(5, 9)
BOTTLENECKS = st.integers(1, 4)
BATCHES = st.lists(st.integers(1, 3), max_size=3)


def built(answer, width, bottleneck):
    """An adapter, a copy of its sublayer, and what trains in it: down's weight and bias, then up's."""
    sublayer = nn.Sequential(nn.Linear(width, width), nn.Tanh())
    adapter = answer.Adapter(copy.deepcopy(sublayer), width, bottleneck)
    own = {tuple(p.shape): p for p in adapter.parameters() if p.requires_grad}
    shapes = [(bottleneck, width), (bottleneck,), (width, bottleneck), (width,)]
    assert sorted(own) == sorted(shapes), f"what trains has the shapes {sorted(own)}, expected {sorted(shapes)}"
    return sublayer, adapter, [own[shape] for shape in shapes]


def trained(parameters):
    with torch.no_grad():
        for parameter in parameters:
            parameter.normal_()


def formula(h, down, down_bias, up, up_bias):
    inside = h @ down.T + down_bias
    inside = inside * 0.5 * (1 + torch.erf(inside / 2**0.5))
    return h + inside @ up.T + up_bias


def close(found, expected, msg):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=msg)


@given(width=WIDTHS, bottleneck=BOTTLENECKS)
def check_only_the_two_small_layers_train(answer, width, bottleneck):
    sublayer, adapter, own = built(answer, width, bottleneck)
    count = sum(1 for p in adapter.parameters() if p.requires_grad)
    assert count == len(own), f"{count} tensors train, not weight and bias of two layers"
    frozen = sum(1 for p in adapter.parameters() if not p.requires_grad)
    assert frozen == len(list(sublayer.parameters())), "the sublayer has to be part of the module, and frozen"


@given(width=WIDTHS, bottleneck=BOTTLENECKS)
def check_starts_as_the_sublayer(answer, width, bottleneck):
    sublayer, adapter, _ = built(answer, width, bottleneck)
    x = torch.randn(3, width)
    close(adapter(x), sublayer(x), "before any training the output differs from the sublayer's")


@given(width=WIDTHS, bottleneck=BOTTLENECKS)
def check_up_is_zero_and_down_is_random(answer, width, bottleneck):
    _, _, (down, _, up, up_bias) = built(answer, width, bottleneck)
    assert not up.any(), "the up-projection's weight does not start at zero"
    assert not up_bias.any(), "the up-projection's bias does not start at zero"
    assert down.unique().numel() == down.numel(), "the down-projection has equal entries, so it is not random"


@given(width=WIDTHS, bottleneck=BOTTLENECKS, batch=BATCHES)
def check_residual_around_the_bottleneck(answer, width, bottleneck, batch):
    sublayer, adapter, own = built(answer, width, bottleneck)
    trained(own)
    x = torch.randn(*batch, width)
    close(adapter(x), formula(sublayer(x), *own), "not h + W_up gelu(W_down h) with h = sublayer(x)")


@given(d_in=st.integers(2, 4), width=WIDTHS)
def check_input_may_have_another_width(answer, d_in, width):
    adapter = answer.Adapter(nn.Linear(d_in, width), width, 2)
    out = adapter(torch.randn(3, d_in))
    assert out.shape == (3, width), f"(3, {d_in}) became {tuple(out.shape)}"


@given(width=WIDTHS, bottleneck=BOTTLENECKS)
def check_gradients_go_on_to_the_input(answer, width, bottleneck):
    sublayer, adapter, own = built(answer, width, bottleneck)
    trained(own)
    x = torch.randn(3, width, requires_grad=True)
    (expected,) = torch.autograd.grad(formula(sublayer(x), *own).square().sum(), x)
    adapter(x).square().sum().backward()
    assert x.grad is not None, "no gradient reaches the input: adapters in the layers below would learn nothing"
    torch.testing.assert_close(
        x.grad, expected, rtol=1e-3, atol=1e-4, msg="the input's gradient is not that of h + W_up gelu(W_down h)"
    )


@given(width=WIDTHS)
def check_sublayer_runs_once(answer, width):
    calls = []
    sublayer = nn.Linear(width, width)
    sublayer.register_forward_hook(lambda *_: calls.append(1))
    answer.Adapter(sublayer, width, 2)(torch.randn(3, width))
    assert len(calls) == 1, f"one forward pass runs the sublayer {len(calls)} times"
