"""What receives gradient in training, on a tiny model; the full-size run is in test_full_size_step.py."""

from __future__ import annotations

import torch
from torch import nn

from lora_demo.methods.lora import apply_lora
from lora_demo.methods.module import AdapterModule
from lora_demo.models import names
from lora_demo.models.projectors import PROJECTORS

KEY_BIASES = {"vlm_uni_aux_projector.0.bias", "vlm_uni_aux_projector.1.bias"}


def step(model, images):
    ids = torch.tensor([[2, 5, -200, 6, 7, 8]])
    model(ids, None, *images, ids.clamp(min=0)).loss.backward()
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return trained, {name for name, value in trained.items() if value.grad is None}


def test_full_fine_tuning_leaves_only_the_key_biases_without_gradient(make_model, make_images):
    trained, without = step(make_model(), make_images(1))
    assert without == KEY_BIASES
    assert not any(name.startswith("vision_tower") for name in trained)


def test_lora_with_projectors_leaves_only_the_key_biases_without_gradient(make_model, make_images):
    model = make_model()
    apply_lora(model.language_model, ["q_proj", "v_proj"], r=2, alpha=4)
    trained, without = step(model, make_images(1))
    layers = model.config.llm.num_hidden_layers
    adapters = {name for name in trained if ".lora_" in name}
    assert len(adapters) == layers * 2 * 2
    assert {name.split(".")[0] for name in set(trained) - adapters} == set(PROJECTORS)
    assert without == KEY_BIASES


def test_adapters_by_pattern_land_on_the_language_model_only(make_model):
    model = make_model()
    pattern = names.llm_modules("q_proj", "k_proj", "v_proj").pattern
    placed = apply_lora(model, pattern, r=2, alpha=4)
    assert len(placed) == 3 * model.config.llm.num_hidden_layers
    for tower in (model.vision_tower, model.vision_tower_aux, *(getattr(model, name) for name in PROJECTORS)):
        assert not any(isinstance(module, AdapterModule) for module in tower.modules())


def test_a_bare_suffix_would_have_hit_the_clip_tower(make_model):
    model = make_model()
    placed = apply_lora(model, ["q_proj"], r=2, alpha=4)
    towers = [name for name in placed if name.startswith("vision_tower")]
    assert len(towers) == model.config.clip.num_hidden_layers


def test_gradients_reach_the_embedding_only_where_text_stood(make_model, make_images):
    """The placeholder borrows row 0 of the embedding; nothing may flow back there."""
    model = make_model()
    model.language_model.lm_head.weight = nn.Parameter(model.language_model.lm_head.weight.detach().clone())
    step(model, make_images(1))
    gradient = model.language_model.model.embed_tokens.weight.grad
    touched = gradient.abs().sum(dim=1).nonzero().flatten().tolist()
    assert set(touched) <= {2, 5, 6, 7, 8}
    assert 7 in touched
