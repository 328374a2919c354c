"""What prefix tuning of one attention layer must do. The two parameters have one shape, so either may be the keys."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.integers(1, 3)
TIMES = st.integers(1, 4)
HEADS = st.integers(1, 2)
BATCHES = st.integers(1, 2)
DIM = 4


def built(answer, count, heads=1):
    """A layer with its two parameters, both with random values."""
    layer = answer.Prefix(count, heads, DIM)
    own = [p for p in layer.parameters() if p.requires_grad]
    shapes, expected = [tuple(p.shape) for p in own], (heads, count, DIM)
    assert shapes == [expected] * 2, f"what trains has the shapes {shapes}, expected {expected} for keys and values"
    with torch.no_grad():
        for parameter in own:
            parameter.normal_()
    return layer, own


def inputs(batch, heads, time):
    return torch.randn(3, batch, heads, time, DIM).unbind()


def formula(prefix_keys, prefix_values, q, k, v):
    """One position at a time: softmax over the whole prefix and the tokens up to this one."""
    out = torch.zeros_like(q)
    for row, head, now in torch.cartesian_prod(*(torch.arange(n) for n in q.shape[:3])).tolist():
        keys = torch.cat([prefix_keys[head], k[row, head, : now + 1]])
        values = torch.cat([prefix_values[head], v[row, head, : now + 1]])
        out[row, head, now] = (keys @ q[row, head, now] / DIM**0.5).softmax(0) @ values
    return out


def same(a, b):
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


@given(count=COUNTS, heads=HEADS)
def check_two_parameters_per_layer(answer, count, heads):
    built(answer, count, heads)


@given(count=st.integers(2, 4), heads=HEADS)
def check_prefix_vectors_start_apart(answer, count, heads):
    own = [p for p in answer.Prefix(count, heads, DIM).parameters() if p.requires_grad]
    vectors = torch.cat([p.detach() for p in own], dim=-1)
    apart = all(len(head.unique(dim=0)) == count for head in vectors)
    assert apart, "a head's prefix vectors start equal: they get equal gradients and stay one vector"


@given(count=COUNTS, time=TIMES, batch=BATCHES)
def check_output_keeps_its_length(answer, count, time, batch):
    layer, _ = built(answer, count)
    out, wanted = layer(*inputs(batch, 1, time)), (batch, 1, time, DIM)
    assert out.shape == wanted, f"the output has the shape {tuple(out.shape)}, q has {wanted}"


@given(count=COUNTS, time=TIMES)
def check_every_token_sees_the_whole_prefix(answer, count, time):
    layer, own = built(answer, count)
    q, k, v = inputs(1, 1, time)
    before = layer(q, k, v)
    for place in range(count):
        with torch.no_grad():
            for parameter in own:
                parameter[:, place] += 1
        after = layer(q, k, v)
        for now in range(time):
            changed = not torch.equal(after[0, 0, now], before[0, 0, now])
            assert changed, f"prefix vector {place} (from 0) changed, and token {now} does not notice"
        before = after


@given(count=COUNTS, time=st.integers(2, 4))
def check_no_token_sees_the_future(answer, count, time):
    layer, _ = built(answer, count)
    q, k, v = inputs(1, 1, time)
    before = layer(q, k, v)
    for later in range(1, time):
        k[:, :, later] += 1
        v[:, :, later] += 1
        after = layer(q, k, v)
        for now in range(later):
            assert same(after[0, 0, now], before[0, 0, now]), f"token {now} (from 0) sees token {later}"
        before = after


@given(count=COUNTS, time=TIMES, heads=HEADS, batch=BATCHES)
def check_softmax_over_prefix_and_past(answer, count, time, heads, batch):
    layer, (one, other) = built(answer, count, heads)
    q, k, v = inputs(batch, heads, time)
    out = layer(q, k, v)
    expected = [formula(one, other, q, k, v), formula(other, one, q, k, v)]
    assert any(same(out, e) for e in expected), "not softmax(q [P_K; K]ᵀ / √d) [P_V; V] under the mask"


@given(count=COUNTS, time=TIMES)
def check_keys_and_values_both_learn(answer, count, time):
    layer, own = built(answer, count)
    layer(*inputs(2, 1, time)).square().sum().backward()
    reached = [p.grad is not None and bool(p.grad.any()) for p in own]
    assert all(reached), "no gradient reaches one of the two parameters"
