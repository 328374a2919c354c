"""Full-size models on the meta device: real classes and real shapes, no storage."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    ConvNextConfig,
    ConvNextModel,
    GemmaConfig,
    GemmaForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)


@cache
def gemma_2b() -> GemmaForCausalLM:
    """The language model of MGM-2B (Gemma-2B)."""
    config = GemmaConfig(
        vocab_size=256_000,
        hidden_size=2_048,
        intermediate_size=16_384,
        num_hidden_layers=18,
        num_attention_heads=8,
        num_key_value_heads=1,
        head_dim=256,
    )
    with torch.device("meta"):
        return GemmaForCausalLM(config)


@cache
def clip() -> CLIPVisionModel:
    """CLIP ViT-L/14-336, the tower that yields the queries."""
    config = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
    )
    with torch.device("meta"):
        return CLIPVisionModel(config)


@cache
def convnext() -> nn.Module:
    """ConvNeXt-L without the pooled norm that transformers adds and MGM lacks."""
    config = ConvNextConfig(hidden_sizes=[192, 384, 768, 1536], depths=[3, 3, 27, 3])
    with torch.device("meta"):
        model = ConvNextModel(config)
    return nn.ModuleList([model.embeddings, model.encoder])


@cache
def projector() -> nn.Module:
    """The two-layer projector from CLIP's width to Gemma's."""
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(1024, 2048), nn.GELU(), nn.Linear(2048, 2048))


@cache
def mining() -> nn.Module:
    """Patch-info mining: query, key and value projections, each a LayerNorm and a Linear."""
    with torch.device("meta"):
        return nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1024)) for width in (1024, 2880, 2880))


@cache
def language_model(name: str) -> nn.Module:
    """A causal language model by preset name."""
    if name == "gemma-2b":
        return gemma_2b()
    with torch.device("meta"):
        return _BUILD[name]()


@cache
def bert(size: str) -> BertModel:
    """BERT as published, `base` or `large`, without a task head."""
    large = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16)
    with torch.device("meta"):
        return BertModel(BertConfig(**(large if size == "large" else {})))


_BUILD = {
    "llama-2-7b": lambda: LlamaForCausalLM(LlamaConfig()),
    "llama-3.1-8b": lambda: LlamaForCausalLM(
        LlamaConfig(vocab_size=128_256, intermediate_size=14_336, num_key_value_heads=8)
    ),
    "llama-3.2-3b": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=128_256,
            hidden_size=3_072,
            intermediate_size=8_192,
            num_hidden_layers=28,
            num_attention_heads=24,
            num_key_value_heads=8,
            tie_word_embeddings=True,
        )
    ),
    "qwen2.5-7b": lambda: Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=152_064,
            hidden_size=3_584,
            intermediate_size=18_944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
        )
    ),
}
