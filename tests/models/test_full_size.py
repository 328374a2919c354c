"""MGM-2B at full size on the meta device: every key, every shape, every count."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import torch

from lora_demo.models import names
from lora_demo.models.llm import build_llm
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import GEMMA_2B, LLAMA_3_2_3B, MGM_2B
from lora_demo.models.projectors import PROJECTORS

KEYS = Path(__file__).parent / "mgm_2b_keys.json"
TOTAL = 3_019_166_144


@pytest.fixture(scope="module")
def expected_shapes() -> dict[str, list[int]]:
    return json.loads(KEYS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built() -> tuple[MGM, float]:
    start = time.perf_counter()
    with torch.device("meta"):
        model = MGM(MGM_2B)
    return model, time.perf_counter() - start


def count(*modules: torch.nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_all_911_keys_with_their_shapes_in_seconds(built, expected_shapes):
    model, seconds = built
    found = {names.released_from_ours(name): list(value.shape) for name, value in model.named_parameters()}
    assert found == expected_shapes
    assert len(found) == 911
    assert seconds < 10


def test_parts_add_up_to_the_total(built):
    model, _ = built
    parts = {
        "language model": count(model.language_model),
        "projectors": count(*(getattr(model, name) for name in PROJECTORS)),
        "clip": count(model.vision_tower),
        "convnext": count(model.vision_tower_aux),
    }
    assert sum(parts.values()) == count(model) == TOTAL
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained == parts["language model"] + parts["projectors"]
    assert trained + parts["clip"] + parts["convnext"] == TOTAL


def test_names_translate_both_ways(built, expected_shapes):
    model, _ = built
    for ours, _ in model.named_parameters():
        assert names.ours_from_released(names.released_from_ours(ours)) == ours
    ours = {names.ours_from_released(released) for released in expected_shapes}
    assert ours == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize(
    "foreign",
    [
        "mm_projector.0.weight",
        "model.vision_tower_aux.norm_pre.weight",
        "model.vision_tower_aux.vision_stages.x.blocks.0.gamma",
        "model.vision_resampler.weight",
        "model.vlm_uni_other_projector.0.weight",
        "visual.trunk.head.norm.weight",
    ],
)
def test_foreign_keys_belong_to_nothing(foreign):
    assert names.ours_from_released(foreign) is None


def test_base_directories_name_their_towers():
    clip = "model.vision_tower.vision_tower.vision_model."
    for key in ("vision_model.embeddings.class_embedding", "embeddings.class_embedding"):
        assert names.released_from_clip(key) == clip + "embeddings.class_embedding"
    assert names.released_from_clip("text_model.encoder.layers.0.mlp.fc1.weight") is None
    assert names.released_from_clip("visual_projection.weight") is None
    aux = "model.vision_tower_aux."
    assert names.released_from_openclip("visual.trunk.stem.0.weight") == aux + "vision_stem.0.weight"
    assert names.released_from_openclip("visual.trunk.stages.3.blocks.2.gamma") == (
        aux + "vision_stages.3.blocks.2.gamma"
    )
    assert names.released_from_openclip("visual.trunk.head.norm.weight") is None
    assert names.is_rebuilt("model.vision_tower.vision_tower.vision_model.embeddings.position_ids")
    assert names.is_rebuilt("model.layers.3.self_attn.rotary_emb.inv_freq")


def linear_names(model: torch.nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]


def test_bare_suffixes_would_reach_the_clip_tower_and_the_pattern_does_not(built):
    """q and v of 18 decoder layers are meant; 24 CLIP layers carry the same names."""
    linears = linear_names(built[0])
    bare = [name for name in linears if re.search(r"\.(q_proj|v_proj)$", name)]
    meant = [name for name in linears if names.llm_modules("q_proj", "v_proj").fullmatch(name)]
    assert len(meant) == 2 * MGM_2B.llm.num_hidden_layers
    assert len(bare) == len(meant) + 2 * MGM_2B.clip.num_hidden_layers
    assert all(name.startswith(names.LANGUAGE_MODEL) for name in meant)


def test_the_pattern_covers_all_seven_projections_and_nothing_else(built):
    linears = linear_names(built[0])
    seven = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    meant = [name for name in linears if names.llm_modules(*seven).fullmatch(name)]
    inside = [name for name in linears if name.startswith(names.LANGUAGE_MODEL) and not name.endswith("lm_head")]
    assert meant == inside
    assert len(meant) == 7 * MGM_2B.llm.num_hidden_layers


@pytest.mark.parametrize(("config", "parameters"), [(GEMMA_2B, 2_506_172_416), (LLAMA_3_2_3B, 3_212_749_824)])
def test_plain_language_models(config, parameters):
    with torch.device("meta"):
        model = build_llm(config)
    assert count(model) == parameters
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_towers_produce_576_queries_and_a_2880_channel_pyramid(built):
    model, _ = built
    images, aux = torch.empty(1, 3, 336, 336, device="meta"), torch.empty(1, 3, 768, 768, device="meta")
    features = model.see(images, aux)
    assert features.query.shape == (1, 576, 1024)
    assert [tuple(stage.shape[1:]) for stage in features.stages] == [
        (192, 192, 192),
        (384, 96, 96),
        (768, 48, 48),
        (1536, 24, 24),
    ]
    assert model.project(features).shape == (1, 576, 2048)
