"""The towers: same numbers as transformers' own forward, always frozen, always in eval mode."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from lora_demo.models.mgm import MGM
from lora_demo.models.towers import build_clip, build_convnext, clip_features, convnext_stages, pyramid


@pytest.mark.parametrize("select", [-1, -2, -3, 0, 1, 3])
def test_clip_is_the_selected_hidden_state(select, tiny_config, make_images):
    config = replace(tiny_config.clip, select_layer=select)
    tower = build_clip(config).eval()
    small, _ = make_images(2)
    with torch.no_grad():
        expected = tower(small, output_hidden_states=True).hidden_states[select][:, 1:]
        found = clip_features(tower, small, config.layers_used)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_convnext_stages_are_the_hidden_states(tiny_config, make_images):
    tower = build_convnext(tiny_config.aux).eval()
    _, large = make_images(2)
    with torch.no_grad():
        expected = tower(large, output_hidden_states=True).hidden_states
        found = convnext_stages(tower, large)
    matching = expected[-len(found) :]
    assert [stage.shape[1] for stage in found] == list(tiny_config.aux.dims)
    for stage, theirs in zip(found, matching, strict=True):
        torch.testing.assert_close(stage, theirs, rtol=0, atol=0)


def test_pyramid_upsamples_in_float32():
    stages = (torch.randn(1, 2, 8, 8).bfloat16(), torch.randn(1, 3, 4, 4).bfloat16())
    found = pyramid(stages)
    assert found.dtype == torch.bfloat16
    expected = F.interpolate(stages[1].float(), scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.equal(found[:, 2:], expected.bfloat16())
    assert torch.equal(found[:, :2], stages[0])


def test_train_never_switches_the_towers(tiny_config):
    model = MGM(tiny_config).train()
    wrapped = torch.nn.Sequential(model).train()
    assert wrapped.training
    assert model.training
    assert model.language_model.training
    towers = [*model.vision_tower.modules(), *model.vision_tower_aux.modules()]
    assert len(towers) > 20
    assert not any(module.training for module in towers)


def test_towers_never_enter_the_graph(make_model, make_images):
    model = make_model()
    model.vision_tower.requires_grad_(True)
    model.vision_tower_aux.requires_grad_(True)
    features = model.see(*make_images(1))
    assert not features.query.requires_grad
    assert not any(stage.requires_grad for stage in features.stages)
    assert model.project(features).requires_grad


def test_cached_features_give_the_same_output(make_model, make_images):
    model = make_model()
    ids = torch.tensor([[5, -200, 6, 7]])
    views = make_images(1)
    expected = model(ids, None, *views).logits
    assert torch.equal(model(ids, features=model.see(*views)).logits, expected)


def test_mixed_dtypes_meet_in_the_right_place(make_model, make_images):
    """bf16 towers and language model with float32 projectors, as in training with float32 adapters."""
    model = make_model().to(torch.bfloat16)
    for name in ("mm_projector", "vlm_uni_query_projector", "vlm_uni_aux_projector", "vlm_uni_val_projector"):
        getattr(model, name).float()
    ids = torch.tensor([[5, -200, 6, 7]])
    output = model(ids, None, *make_images(1), ids.clamp(min=0))
    output.loss.backward()
    assert output.logits.dtype == torch.bfloat16
    assert output.loss.dtype == torch.float32
    assert model.mm_projector[0].weight.grad.dtype == torch.float32
