"""The cheap form of mining against the direct one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_demo.models.mining import mine, windows
from lora_demo.models.mining_direct import mine_direct
from lora_demo.models.projectors import build_mining_projector

EXACT = 1e-12


def setting(batch: int, grid: int, window: int, width: int, channels: int, seed: int):
    """Random inputs in float64 and projectors whose every value is random, gains and offsets included."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    projectors = [build_mining_projector(size, width).double() for size in (width, channels, channels)]
    with torch.no_grad():
        for projector in projectors:
            for parameter in projector.parameters():
                parameter.copy_(draw(*parameter.shape))
    return draw(batch, grid**2, width), draw(batch, channels, grid * window, grid * window), projectors


def run(form, query, map_, projectors, cotangent):
    """Output, and gradients of all inputs and parameters (None where there is none)."""
    query, map_ = query.clone().requires_grad_(), map_.clone().requires_grad_()
    parameters = [parameter for projector in projectors for parameter in projector.parameters()]
    for parameter in parameters:
        parameter.grad = None
    output = form(query, map_, *projectors)
    output.backward(cotangent)
    return output.detach(), [query.grad, map_.grad, *(parameter.grad for parameter in parameters)]


@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 2),
    grid=st.integers(1, 4),
    window=st.integers(1, 4),
    width=st.integers(2, 9),
    channels=st.integers(2, 11),
    seed=st.integers(0, 99),
)
def test_same_output_and_gradients(batch, grid, window, width, channels, seed):
    query, map_, projectors = setting(batch, grid, window, width, channels, seed)
    cotangent = torch.randn(query.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    cheap, cheap_gradients = run(mine, query, map_, projectors, cotangent)
    direct, direct_gradients = run(mine_direct, query, map_, projectors, cotangent)
    largest = max(gradient.abs().max().item() for gradient in direct_gradients)
    assert (cheap - direct).abs().max() <= EXACT * direct.abs().max().clamp(min=1)
    for found, expected in zip(cheap_gradients, direct_gradients, strict=True):
        found = torch.zeros_like(expected) if found is None else found
        assert (found - expected).abs().max() <= EXACT * max(largest, 1.0)


def test_key_biases_have_no_gradient():
    query, map_, projectors = setting(1, 3, 4, 8, 10, seed=0)
    cotangent = torch.ones_like(query)
    _, cheap = run(mine, query, map_, projectors, cotangent)
    _, direct = run(mine_direct, query, map_, projectors, cotangent)
    # query, map, then weight and bias of LayerNorm and Linear for query, key and value.
    norm_bias, linear_bias = 2 + 4 + 1, 2 + 4 + 3
    assert cheap[norm_bias] is None
    assert cheap[linear_bias] is None
    largest = max(gradient.abs().max() for gradient in direct)
    assert direct[norm_bias].abs().max() < EXACT * largest
    assert direct[linear_bias].abs().max() < EXACT * largest


def test_windows_are_row_major_in_both_senses():
    side, grid = 6, 3
    map_ = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    cut = windows(map_, grid)
    for row in range(side):
        for column in range(side):
            window = (row // 2) * grid + column // 2
            inside = (row % 2) * 2 + column % 2
            assert cut[0, window, inside, 0] == map_[0, 0, row, column]


def test_a_query_sees_only_its_own_window():
    query, map_, projectors = setting(1, 3, 4, 8, 10, seed=0)
    before = mine(query, map_, *projectors)
    changed = map_.clone()
    changed[:, :, :4, :4] += 1.0 + torch.arange(10, dtype=torch.float64).view(1, 10, 1, 1)
    moved = (mine(query, changed, *projectors) - before).abs().amax(dim=-1)[0] > 0
    assert moved.tolist() == [True] + [False] * 8


def test_unequal_eps_is_refused():
    query, map_, projectors = setting(1, 2, 2, 4, 6, seed=0)
    projectors[2][0].eps = 1e-6
    with pytest.raises(ValueError, match="different eps"):
        mine(query, map_, *projectors)
