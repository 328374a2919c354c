"""What a LoRA linear layer must do, seen from outside: A and B are told apart by their shapes, not by their names."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

SIZES = st.tuples(st.integers(5, 12), st.integers(13, 20))
RANKS = st.integers(1, 4)
ALPHAS = st.sampled_from([1.0, 4.0, 16.0])


def built(answer, sizes, r, alpha, dropout=0.0):
    """A layer, a copy of its base, and its two factors by shape: A [r, d_in] and B [d_out, r]."""
    base = nn.Linear(*sizes)
    layer = answer.LoRALinear(copy.deepcopy(base), r, alpha, dropout)
    own = [p for p in layer.parameters() if p.requires_grad]
    shapes = [tuple(p.shape) for p in own]
    assert sorted(shapes) == sorted([(r, sizes[0]), (sizes[1], r)]), f"what trains has the shapes {shapes}"
    a, b = own if shapes[0] == (r, sizes[0]) else own[::-1]
    return base, layer, a, b


def trained(a, b):
    with torch.no_grad():
        a.normal_()
        b.normal_()


@given(sizes=SIZES, r=RANKS, alpha=ALPHAS)
def check_only_a_and_b_train(answer, sizes, r, alpha):
    built(answer, sizes, r, alpha)  # which looks at what trains


@given(sizes=SIZES, r=RANKS, alpha=ALPHAS)
def check_starts_as_the_base(answer, sizes, r, alpha):
    base, layer, _, _ = built(answer, sizes, r, alpha)
    x = torch.randn(3, sizes[0])
    torch.testing.assert_close(layer(x), base(x), msg="before any training the output differs from the base's")


@given(sizes=SIZES, r=RANKS, alpha=ALPHAS)
def check_a_is_random_and_b_is_zero(answer, sizes, r, alpha):
    _, _, a, b = built(answer, sizes, r, alpha)
    assert not b.any(), "B does not start at zero"
    assert a.unique().numel() == a.numel(), "A has equal entries, so it is not random"


@given(sizes=SIZES, r=RANKS, alpha=ALPHAS)
def check_scaled_by_alpha_over_r(answer, sizes, r, alpha):
    base, layer, a, b = built(answer, sizes, r, alpha)
    trained(a, b)
    x = torch.randn(3, sizes[0])
    expected = base(x) + (alpha / r) * (x @ a.T @ b.T)
    torch.testing.assert_close(layer(x), expected, msg="not W x + b + (α/r) B A x")


@given(batch=st.lists(st.integers(1, 3), max_size=3), r=RANKS)
def check_any_number_of_leading_dimensions(answer, batch, r):
    _, layer, a, b = built(answer, (6, 14), r, 8.0)
    trained(a, b)
    x = torch.randn(*batch, 6)
    out = layer(x)
    assert out.shape == (*batch, 14), f"{tuple(x.shape)} became {tuple(out.shape)}"


@given(r=RANKS, width=st.integers(200, 400))
def check_a_starts_small_where_the_input_is_wide(answer, r, width):
    _, _, a, _ = built(answer, (width, 20), r, 8.0)
    # Any usual choice will do: uniform within 1/sqrt(d_in), a normal of that deviation, a fixed 0.02.
    assert a.std() < 2.5 / width**0.5, "A is several times too large: the fan-in is d_in, not r"


@given(r=RANKS)
def check_dropout_is_on_the_side_path_and_off_in_eval(answer, r):
    base, layer, a, b = built(answer, (8, 14), r, 8.0, dropout=0.5)
    x = torch.randn(64, 8)
    torch.testing.assert_close(layer.train()(x), base(x), msg="with B = 0 dropout must not touch the output")
    trained(a, b)
    expected = base(x) + (8.0 / r) * (x @ a.T @ b.T)
    message = "in eval mode not W x + b + (α/r) B A x: is dropout still on?"
    torch.testing.assert_close(layer.eval()(x), expected, msg=message)
    assert not torch.allclose(layer.train()(x), expected), "in training mode dropout does nothing"


@given(sizes=SIZES, r=RANKS)
def check_gradients_reach_a_and_b_and_nothing_else(answer, sizes, r):
    _, layer, a, b = built(answer, sizes, r, 8.0)
    trained(a, b)
    layer(torch.randn(3, sizes[0])).square().sum().backward()
    for name, factor in (("A", a), ("B", b)):
        assert factor.grad is not None, f"no gradient reaches {name}"
        assert factor.grad.any(), f"the gradient of {name} is zero"
    assert all(p.grad is None for p in layer.parameters() if not p.requires_grad), "a gradient reaches the base"


@given(sizes=SIZES, r=RANKS)
def check_follows_the_type_of_the_base(answer, sizes, r):
    base = nn.Linear(*sizes).double()
    layer = answer.LoRALinear(base, r, 8.0)
    assert layer(torch.randn(3, sizes[0], dtype=torch.float64)).dtype == torch.float64
