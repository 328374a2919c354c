"""Two samples in one row: who sees whom, and what positions that restart really do.

Our own rows hold one conversation each; this is transformers' Gemma, called directly.
"""

from __future__ import annotations

import pytest
import torch

FIRST, SECOND = [2, 5, 6, 7, 8], [2, 9, 10, 11]
ROW = torch.tensor([FIRST + SECOND])
RESTARTED = torch.tensor([[*range(len(FIRST)), *range(len(SECOND))]])
RUNNING = torch.arange(ROW.shape[1])[None]


@pytest.fixture
def gemma(make_model):
    return make_model().language_model.eval()


@pytest.fixture
def alone(gemma):
    """The logits of both samples, each computed in a row of its own."""
    return torch.cat([gemma(torch.tensor([sample])).logits for sample in (FIRST, SECOND)], dim=1)


@pytest.fixture
def blocks():
    sample = torch.tensor([0] * len(FIRST) + [1] * len(SECOND))
    causal = torch.ones(len(sample), len(sample)).tril().bool()
    return (causal & (sample[:, None] == sample))[None, None]


def test_a_causal_mask_alone_leaks(gemma, alone, deviation):
    joined = gemma(ROW, attention_mask=torch.ones_like(ROW)).logits
    cut = len(FIRST)
    assert deviation(joined[:, :cut], alone[:, :cut]) < 1e-5
    assert deviation(joined[:, cut:], alone[:, cut:]) > 0.05


def test_a_block_mask_is_each_sample_alone(gemma, alone, blocks, deviation):
    packed = gemma(ROW, attention_mask=blocks, position_ids=RESTARTED).logits
    assert deviation(packed, alone) < 1e-5


def test_under_a_block_mask_restarting_rotary_positions_changes_nothing(gemma, alone, blocks, deviation):
    running = gemma(ROW, attention_mask=blocks, position_ids=RUNNING).logits
    assert deviation(running, alone) < 1e-5


def test_restarting_positions_are_recognised_unless_a_mask_or_a_cache_is_given(gemma, alone, deviation):
    recognised = gemma(ROW, position_ids=RESTARTED, use_cache=False).logits
    assert deviation(recognised, alone) < 1e-5
    masked = gemma(ROW, position_ids=RESTARTED, attention_mask=torch.ones_like(ROW), use_cache=False).logits
    assert deviation(masked, alone) > 0.05
    # the configuration's default keeps a cache, in training mode too
    assert gemma.config.use_cache
    cached = gemma.train()(ROW, position_ids=RESTARTED).logits
    assert deviation(cached, alone) > 0.05
