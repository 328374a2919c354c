"""A checkpoint folder laid out like a released MGM, in mgm-nano's sizes."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lora_demo.lab import nano_evidence
from lora_demo.models import names, shipped
from lora_demo.models.mgm import MGM

SHARDS = 2
TEST_IMAGES = 4


@pytest.fixture(autouse=True)
def _few_test_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run here is about the command; its test questions would take longer than it does."""
    monkeypatch.setattr(nano_evidence, "TEST_IMAGES", TEST_IMAGES)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bfloat16 shards with an index, MGM's own `config.json`, the tokenizer, and CLIP's folder beside it."""
    home = tmp_path_factory.mktemp("model_zoo")
    model, folder = shipped.load_nano(torch.bfloat16), home / "MGM-2B"
    folder.mkdir()
    tensors = {names.released_from_ours(name): p.detach().contiguous() for name, p in model.named_parameters()}
    weight_map = {}
    for number in range(SHARDS):
        name = f"model-{number + 1:05}-of-{SHARDS:05}.safetensors"
        part = {key: tensors[key] for key in sorted(tensors)[number::SHARDS]}
        weight_map |= dict.fromkeys(part, name)
        save_file(part, folder / name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(_config(model)), encoding="utf-8")
    text = importlib.resources.files("lora_demo.data").joinpath("nano_tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    clip = home / "clip-vit-large-patch14-336"
    clip.mkdir()
    own = {"num_attention_heads": model.config.clip.num_attention_heads, "projection_dim": 32}
    (clip / "config.json").write_text(json.dumps({"vision_config": own}), encoding="utf-8")
    return folder


def _config(model: MGM) -> dict:
    llm = model.config.llm
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    sizes += ("num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta")
    return {
        "model_type": "mgm_gemma",
        "architectures": ["MGMGemmaForCausalLM"],
        **{name: getattr(llm, name) for name in sizes},
        "hidden_act": "gelu",
        "image_size_aux": model.config.aux.image_size,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": model.config.clip.select_layer,
        "mm_vision_tower": "model_zoo/OpenAI/clip-vit-large-patch14-336",
        "tokenizer_model_max_length": model.config.splice.max_length,
        "tokenizer_padding_side": "right",
        "torch_dtype": "bfloat16",
    }
