"""The language model alone, through MGM's way: transformers' own logits and loss, however the loss is formed."""

from __future__ import annotations

import pytest
import torch

from lora_demo.models.build import build_model
from lora_demo.models.config import TextConfig
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import GEMMA_2B, MGM_NANO, model_preset
from lora_demo.models.text_model import TextModel

IGNORED = -100


@pytest.fixture
def model() -> TextModel:
    torch.manual_seed(0)
    built = build_model(TextConfig("small", MGM_NANO.llm))
    assert isinstance(built, TextModel)
    return built.eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Two rows, the second padded on the right, answers at the end of each."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 500, (2, 12), generator=generator)
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[1, 9:] = False
    labels = torch.full_like(ids, IGNORED)
    labels[0, 8:], labels[1, 6:9] = ids[0, 8:], ids[1, 6:9]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def test_logits_and_loss_are_those_of_transformers(model, batch):
    ours, theirs = model(**batch), model.language_model(**batch)
    real = batch["attention_mask"]
    torch.testing.assert_close(ours.logits[real], theirs.logits[real], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [{"supervised_only": True}, {"loss_chunk": 2}])
def test_the_savers_change_neither_loss_nor_gradient(model, batch, options):
    weight = model.language_model.model.layers[0].self_attn.q_proj.weight
    found = []
    for chosen in ({}, options):
        model.zero_grad()
        loss = model(**batch, **chosen).loss
        loss.backward()
        found.append((loss.detach(), weight.grad.clone()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-7)


def test_a_preset_is_built_with_images_or_without():
    with torch.device("meta"):
        alone = build_model(model_preset("gemma-2b"))
        assert isinstance(build_model(model_preset("mgm-2b")), MGM)
    assert isinstance(alone, TextModel)
    assert alone.config.llm == GEMMA_2B
    assert alone.config.image_tokens == 0
    assert sum(p.numel() for p in alone.parameters()) == 2_506_172_416
