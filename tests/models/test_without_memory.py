"""The step runs on tensors without memory, so that it can be counted and traced."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from lora_demo.models.mgm import MGM


def batch():
    ids = torch.tensor([[2, 5, -200, 6, 7, 8], [2, 9, 10, 11, 0, 0]])
    labels = ids.masked_fill(ids <= 0, -100)
    return ids, (ids != 0).long(), labels


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("supervised_only", [False, True])
def test_a_step_on_fake_tensors(tiny_config, side, supervised_only):
    ids, mask, labels = batch()
    model = MGM(tiny_config)
    plan = model.plan(ids, mask, labels, images=2, padding_side=side)
    with FakeTensorMode() as mode:
        model._apply(mode.from_tensor)
        images, aux = torch.empty(2, 3, 24, 24), torch.empty(2, 3, 48, 48)
        fake_ids = torch.zeros(2, 6, dtype=torch.long)
        output = model(fake_ids, None, images, aux, plan=plan, supervised_only=supervised_only)
        output.loss.backward()
    length = plan.length
    assert length == 5 + tiny_config.image_tokens
    rows = (len(plan.supervised),) if supervised_only else (2, length)
    assert output.logits.shape == (*rows, tiny_config.llm.vocab_size)
    assert model.mm_projector[0].weight.grad.shape == model.mm_projector[0].weight.shape


@pytest.mark.parametrize("mining", ["folded", "direct"])
def test_a_step_on_the_meta_device(tiny_config, mining):
    ids, mask, labels = batch()
    with torch.device("meta"):
        model = MGM(tiny_config, mining=mining)
        plan = model.plan(ids, mask, labels, images=2)
        images, aux = torch.empty(2, 3, 24, 24), torch.empty(2, 3, 48, 48)
        fake_ids = torch.zeros(2, 6, dtype=torch.long)
        model(fake_ids, None, images, aux, plan=plan).loss.backward()
    assert model.language_model.model.embed_tokens.weight.grad.is_meta
