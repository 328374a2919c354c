"""AdaLoRA: the form, the regulariser, the budget, and that pruning keeps what matters."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from lora_demo.methods.adalora import AdaLoRALinear, RankAllocator
from lora_demo.methods.errors import MethodError


@pytest.fixture
def layers():
    torch.manual_seed(0)
    layers = [AdaLoRALinear(nn.Linear(8, 6), 4, 4), AdaLoRALinear(nn.Linear(8, 6), 4, 4)]
    for layer in layers:
        nn.init.normal_(layer.values)
    return layers


def _allocator(layers, **settings):
    return RankAllocator(layers, **({"final_rank": 1, "warmup": 2, "settle": 3, "total": 15} | settings))


def test_form(layers):
    layer, x = layers[0], torch.randn(5, 8)
    update = layer.left @ torch.diag(layer.values) @ layer.right
    torch.testing.assert_close(layer(x), layer.base(x) + x @ update.T)


def test_orthogonality_is_zero_only_for_orthonormal_factors(layers):
    layer = layers[0]
    assert layer.orthogonality() > 1
    with torch.no_grad():
        layer.left.copy_(torch.linalg.qr(layer.left).Q)
        layer.right.copy_(torch.linalg.qr(layer.right.T).Q.T)
    assert layer.orthogonality() < 1e-10


def test_budget_descends_from_start_to_end(layers):
    budgets = [_allocator(layers).budget(step) for step in range(16)]
    assert budgets[:3] == [8, 8, 8]
    assert budgets[12:] == [2, 2, 2, 2]
    assert all(a >= b for a, b in itertools.pairwise(budgets))
    halfway = 2 + 6 * (1 - 5 / 10) ** 3
    assert budgets[7] == round(halfway)


def test_keeps_the_direction_that_lowers_the_loss(layers):
    torch.manual_seed(1)
    x, goal = torch.randn(64, 8), torch.randn(64, 6)
    with torch.no_grad():
        u = torch.linalg.svd(torch.linalg.lstsq(x, goal - layers[0].base(x)).solution.T, full_matrices=False).U
    optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters() if p.requires_grad], lr=0.05)
    allocator = _allocator(layers, warmup=20, settle=20, total=120)
    for step in range(120):
        optimizer.zero_grad()
        # the second layer contributes nothing to the loss but its regulariser
        loss = (layers[0](x) - goal).square().mean() + 0.1 * sum(layer.orthogonality() for layer in layers)
        (loss + 0 * layers[1](x).sum()).backward()
        optimizer.step()
        left = allocator.step(step)
    assert left == 2
    alive = [int((layer.values != 0).sum()) for layer in layers]
    assert alive == [2, 0]
    first = layers[0].left[:, layers[0].values.abs().argmax()]
    assert (first / first.norm() @ u[:, 0]).abs() > 0.5


def test_refusals(layers):
    with pytest.raises(MethodError, match=r"must leave steps"):
        _allocator(layers, warmup=10, settle=5)
    with pytest.raises(MethodError, match=r"1\.\.8"):
        _allocator(layers, final_rank=0)
    with pytest.raises(MethodError, match=r"before zero_grad|needs gradients"):
        _allocator(layers).step(0)
