"""Order of samples and learning rate: pure functions of the step."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.training.engine.order import Order, cut, share
from lora_demo.training.engine.schedule import factor


@given(size=st.integers(1, 60), batch=st.integers(1, 20), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_a_pass_never_repeats_a_sample(size, batch, seed, epoch):
    order = Order(size, batch, seed)
    steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
    seen = [index for step in steps for index in order.indices(step)]
    assert len(seen) == len(set(seen)) == min(size, order.steps_per_epoch * batch)
    assert set(seen) <= set(range(size))


def test_passes_and_seeds_differ():
    first = Order(50, 50, 0)
    assert first.indices(0) != first.indices(1)
    assert first.indices(0) != Order(50, 50, 1).indices(0)
    assert first.indices(3) == Order(50, 50, 0).indices(3)


@given(rows=st.lists(st.integers(), max_size=40), processes=st.integers(1, 5), size=st.none() | st.integers(1, 9))
def test_shares_and_cuts_lose_nothing(rows, processes, size):
    shares = [share(rows, rank, processes) for rank in range(processes)]
    assert sorted(row for part in shares for row in part) == sorted(rows)
    assert [row for part in (cut(rows, size) if rows else []) for row in part] == rows


@pytest.mark.parametrize(("size", "batch"), [(0, 4), (4, 0)])
def test_an_empty_order_is_refused(size, batch):
    with pytest.raises(ValueError, match="at least 1"):
        Order(size, batch, 0)


def test_the_learning_rate_rises_then_falls():
    rates = [factor(i, 100, shape="cosine", warmup=0.1, floor=0.2) for i in range(100)]
    assert rates.index(max(rates)) in (9, 10)
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.2, abs=0.001)


def test_linear_and_constant_shapes():
    assert factor(50, 100, shape="linear", warmup=0.0, floor=0.0) == pytest.approx(0.5)
    assert factor(99, 100, shape="constant", warmup=0.1, floor=0.0) == 1.0
