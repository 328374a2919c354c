"""The loss formed chunk by chunk: the whole loss and its gradients, without whole logits."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lora_demo.models.chunked_loss import chunked_next_token_loss, has_torch_kernel, headless
from lora_demo.models.loss import next_token_loss

NEEDS_TORCHS_OWN = pytest.mark.skipif(not has_torch_kernel(), reason="torch before 2.13")


@pytest.mark.parametrize("trained_head", [False, True])
@pytest.mark.parametrize("chunk", [1, 5, 64])
def test_chunks_equal_the_whole_loss(chunk, trained_head):
    head, hidden, targets = _head_and_batch(trained_head)
    pairs = []
    for way in ("whole", "chunks"):
        own_head, states = copy.deepcopy(head), hidden.clone().requires_grad_()
        if way == "whole":
            loss = next_token_loss(own_head(states), targets, 3.0)
        else:
            loss = chunked_next_token_loss(states, own_head, targets, 3.0, chunk=chunk)
        (2 * loss).backward()
        pairs.append((loss.detach(), states.grad, own_head.weight.grad))
    for ours, theirs in zip(pairs[1], pairs[0], strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@NEEDS_TORCHS_OWN
@pytest.mark.parametrize("trained_head", [False, True])
def test_both_kernels_and_torchs_whole_loss_agree(trained_head):
    head, hidden, targets = _head_and_batch(trained_head)
    outcomes = []
    for way in ("own", "torch", "whole"):
        own_head, states = copy.deepcopy(head), hidden.clone().requires_grad_()
        if way == "whole":
            loss = F.linear_cross_entropy(states, own_head.weight, targets)
        else:
            loss = chunked_next_token_loss(states, own_head, targets, chunk=5, kernel=way)
        loss.backward()
        outcomes.append((loss.detach(), states.grad, own_head.weight.grad))
    for outcome in outcomes[:2]:
        for ours, theirs in zip(outcome, outcomes[2], strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_the_largest_logits_are_one_chunk():
    head, hidden, targets = _head_and_batch(False)
    rows: list[int] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, Tensor) and result.shape[1:] == (50,) and result.shape[0] != 12:
                rows.append(result.shape[0])
            return result

    with Watch():
        chunked_next_token_loss(hidden.requires_grad_(), head, targets, chunk=4).backward()
    assert max(rows) == 4
    assert len(rows) >= 5


def test_in_bfloat16_the_chunks_stay_close():
    head, hidden, targets = _head_and_batch(True)
    states = [hidden.bfloat16().requires_grad_() for _ in range(2)]
    head = head.bfloat16()
    whole, chunks = (
        next_token_loss(head(states[0]), targets),
        chunked_next_token_loss(states[1], head, targets, chunk=4),
    )
    torch.testing.assert_close(chunks, whole, rtol=1e-6, atol=1e-6)
    for loss in (whole, chunks):
        loss.backward()
    torch.testing.assert_close(states[1].grad, states[0].grad, rtol=2**-7, atol=2**-10)


def test_a_head_with_an_adapter_or_bias_is_refused():
    hidden, targets = torch.randn(4, 6), torch.tensor([0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"Linear is more than a weight.*leave loss_chunk out"):
        chunked_next_token_loss(hidden, nn.Linear(6, 8), targets, chunk=2)
    with pytest.raises(ValueError, match="must be at least 1"):
        chunked_next_token_loss(hidden, nn.Linear(6, 8, bias=False), targets, chunk=0)


def test_the_head_comes_back():
    head = nn.Linear(4, 3)
    x = torch.randn(2, 4)
    before = head(x)
    with headless(head):
        assert head(x) is x
        with pytest.raises(ValueError, match="does not nest"), headless(head):
            raise AssertionError("must not be reached")
    assert torch.equal(head(x), before)


def _head_and_batch(trained: bool) -> tuple[nn.Linear, Tensor, Tensor]:
    torch.manual_seed(0)
    head = nn.Linear(12, 50, bias=False).requires_grad_(trained)
    return head, torch.randn(18, 12), torch.randint(0, 50, (18,))
