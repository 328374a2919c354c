"""The answers' loss over micro-batches is that of the whole batch, in PyTorch's terms and in the package's."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lora_demo.methods.whiteboard.answer_loss import IGNORED, accumulated_loss, answer_labels
from lora_demo.models.loss import next_token_loss

WORDS, LENGTH = 11, 6
PROMPTS = ((1, 5), (3, 6), (6, 6), (0, 2))
"""Prompt lengths of the rows of four micro-batches; the third has no answer at all."""


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(WORDS, 8), nn.Linear(8, WORDS))


@pytest.fixture
def micro_batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    found = []
    for prompts in PROMPTS:
        ids = torch.randint(WORDS, (len(prompts), LENGTH), generator=generator)
        rows = zip(ids, prompts, strict=True)
        found.append((ids, torch.stack([answer_labels(row, prompt) for row, prompt in rows])))
    return found


def test_labels_are_the_ids_behind_the_prompt():
    ids = torch.arange(5)
    assert answer_labels(ids, 3).tolist() == [IGNORED] * 3 + [3, 4]
    assert answer_labels(ids, 0).tolist() == answer_labels(ids, 0).tolist() == ids.tolist() == [0, 1, 2, 3, 4]


def test_loss_and_gradient_are_those_of_the_whole_batch(model, micro_batches):
    whole = copy.deepcopy(model)
    ids, labels = (torch.cat(parts) for parts in zip(*micro_batches, strict=True))
    expected = F.cross_entropy(whole(ids)[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    expected.backward()
    torch.testing.assert_close(accumulated_loss(model, micro_batches), expected.detach())
    for ours, theirs in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_loss_is_the_packages(model, micro_batches):
    ids, labels = (torch.cat(parts)[:, start:] for start, parts in enumerate(zip(*micro_batches, strict=True)))
    answers = labels != IGNORED
    expected = next_token_loss(model(ids)[:, :-1][answers], labels[answers])
    torch.testing.assert_close(accumulated_loss(model, micro_batches), expected.detach())


def test_a_mean_of_means_is_another_loss(model, micro_batches):
    alone = [accumulated_loss(model, [one]) for one in micro_batches if (one[1] != IGNORED).any()]
    assert abs(torch.stack(alone).mean() - accumulated_loss(model, micro_batches)) > 0.01
