"""Settings of the calculator, drawn, and what real models of those dimensions train."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import torch
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from lora_demo.methods.counting import count_parameters
from lora_demo.methods.registry import apply

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANKED = ("lora", "qlora", "dora", "pissa", "adalora")
METHODS = ("full", *RANKED, "ia3", "adapter", "prefix", "prompt", "bitfit", "layernorm")
OWN = "own"
CLASSES: dict[str, tuple[type, type]] = {
    "gemma-2b": (GemmaConfig, GemmaForCausalLM),
    "mgm-2b": (GemmaConfig, GemmaForCausalLM),
    "mistral-7b": (MistralConfig, MistralForCausalLM),
    "qwen2.5-7b": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3-8b": (Qwen3Config, Qwen3ForCausalLM),
}
Dims = dict[str, Any]
Settings = dict[str, Any]


def build(name: str, dims: Dims, layers: int) -> PreTrainedModel:
    """The transformers model of a preset (or a Llama of one's own dimensions), on the meta device."""
    config, model = CLASSES.get(name, (LlamaConfig, LlamaForCausalLM))
    with torch.device("meta"):
        return model(
            config(
                vocab_size=dims["vocab"],
                hidden_size=dims["hidden"],
                intermediate_size=dims["intermediate"],
                num_hidden_layers=layers,
                num_attention_heads=dims["heads"],
                num_key_value_heads=dims["kvHeads"],
                head_dim=dims["headDim"],
                tie_word_embeddings=dims["tied"],
                pad_token_id=None,
            )
        )


def arguments(settings: Settings) -> dict[str, Any]:
    """The settings as our method takes them."""
    method, size, targets = settings["method"], settings["size"], list(settings["targets"])
    if method in RANKED:
        return {"targets": targets, "r": size, "alpha": size}
    if method == "ia3":
        return {"targets": targets, "feedforward": [name for name in targets if name == "down_proj"]}
    if method == "adapter":
        return {"targets": targets, "bottleneck": size}
    return {"count": size} if method in ("prefix", "prompt") else {}


def trained(settings: Settings, dims: Dims, layers: int) -> int:
    """What the method trains on a real model of that depth."""
    model = build(settings["model"], dims, layers)
    # Neither start nor storage changes how many values there are, and meta tensors have nothing to decompose or pack.
    method = "lora" if settings["method"] in ("pissa", "qlora") else settings["method"]
    with torch.device("meta"):
        apply(model, method, **arguments(settings))
    return count_parameters(model).trainable


def expected_count(settings: Settings, dims: Dims) -> int:
    """At full depth, from one and two layers: every layer adds the same."""
    one, two = trained(settings, dims, 1), trained(settings, dims, 2)
    beside = dims.get("projectors", 0) if settings["method"] == "full" else 0
    return one + (dims["layers"] - 1) * (two - one) + beside


@cache
def total(name: str, dims: tuple[tuple[str, Any], ...]) -> int:
    known = dict(dims)
    one, two = (sum(p.numel() for p in build(name, known, layers).parameters()) for layers in (1, 2))
    return one + (known["layers"] - 1) * (two - one) + known.get("projectors", 0) + known.get("frozen", 0)


def drawn(seed: int, count: int, presets: dict[str, Dims]) -> list[Settings]:
    """Settings that mean something: ranks that fit, biases where there are any."""
    source = random.Random(seed)
    return [_one(source, presets, METHODS[index % len(METHODS)]) for index in range(count)]


def _one(source: random.Random, presets: dict[str, Dims], method: str) -> Settings:
    biased = [name for name, dims in presets.items() if dims.get("biased")]
    name = source.choice(biased if method == "bitfit" else [*presets, *[OWN] * len(presets)])
    dims = presets[name] if name != OWN else _dims(source)
    narrow = min(dims["hidden"], dims["kvHeads"] * dims["headDim"], dims["intermediate"]) - 1
    return {
        "model": name,
        "dims": dims,
        "method": method,
        "size": source.randint(1, min(256, narrow)),
        "targets": [target for target in TARGETS if source.random() < 0.6] or ["q_proj"],
        "batch": source.randint(1, 16),
        "length": source.randint(580, 4096),
        "adapter": source.choice(["float32", "bfloat16"]),
        "optimizer": source.choice(["foreach", "fused", "for-loop", "adamw8bit"]),
        "checkpointing": source.random() < 0.5,
        "logits": source.choice([0, source.randint(1, 512)]),
        "card": source.choice(["rtx4090", "h200", "8gb"]),
        "seed": source.randint(0, 2**32 - 1),
    }


def _dims(source: random.Random) -> Dims:
    kv = source.choice([1, 2, 4, 8])
    heads = kv * source.choice([1, 2, 4, 7])
    return {
        "vocab": source.randint(100, 300_000),
        # transformers refuses a width that its heads do not divide.
        "hidden": heads * source.randint(-(-16 // heads), 6144 // heads),
        "intermediate": source.randint(16, 20_000),
        "layers": source.randint(1, 96),
        "heads": heads,
        "kvHeads": kv,
        "headDim": 2 * source.randint(4, 128),
        "tied": source.random() < 0.5,
    }
