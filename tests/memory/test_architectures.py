"""Causal language models of transformers from their config.json alone: predicted, or refused with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.subject import SubjectError

MODERN = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
HEADS = {"head_dim": 16}
MODELS: dict[str, dict[str, Any]] = {
    "llama": MODERN,
    "mistral": MODERN,
    "qwen2": MODERN,
    "qwen3": MODERN | HEADS,
    "phi": MODERN,
    "phi3": MODERN,
    "gemma": MODERN | HEADS,
    "gemma2": MODERN | HEADS,
    "gemma3_text": MODERN | HEADS,
    "stablelm": MODERN,
    "olmo2": MODERN,
    "mixtral": MODERN | {"num_local_experts": 4},
    "qwen3_moe": MODERN | HEADS | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 320, "n_positions": 512},
    "opt": MODERN | {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 320},
    "falcon": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320},
    "gpt_neox": MODERN,
    "gpt_neo": {
        "hidden_size": 64,
        "num_layers": 2,
        "num_heads": 4,
        "vocab_size": 320,
        "attention_types": [[["global", "local"], 1]],
    },
    "mamba": {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 320, "state_size": 8},
}


def folder(path: Path, entries: dict[str, Any]) -> Path:
    (path / "config.json").write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_is_predicted(kind: str, tmp_path: Path) -> None:
    model = folder(tmp_path, {"model_type": kind, **MODELS[kind]})
    found = predict(Setting(str(model), "full", batch=2, length=16, loop="plain", optimizer="fused"))
    assert sum(found.parts.values()) == found.peak_allocated <= found.peak_reserved
    assert found.parts["weights_trainable"] >= 2 * found.trainable
    assert found.parts["optimizer"] >= 4 * found.trainable


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"model_type": "llama2"}, "llama2"),
        ({}, "model_type"),
        ({"model_type": "t5"}, "causal"),
        ({"model_type": "llama", **MODERN, "num_attention_heads": 5}, "num_attention_heads 5 must be a multiple"),
        ({"model_type": "llama", **MODERN, "hidden_size": "wide"}, "hidden_size"),
    ],
)
def test_a_config_that_cannot_be_built_says_why(entries: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=words):
        predict(Setting(str(folder(tmp_path, entries)), "full"))


def test_a_row_longer_than_the_table_of_positions(tmp_path: Path) -> None:
    model = folder(tmp_path, {"model_type": "gpt2", **MODELS["gpt2"]})
    with pytest.raises(SubjectError, match="512"):
        predict(Setting(str(model), "full", length=513))
