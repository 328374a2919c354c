"""Full-size models on the meta device: real classes and real shapes, no storage. Each is built once."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from transformers import BertConfig, BertModel, Qwen2Config, Qwen2ForCausalLM

from lora_demo.models.config import LLMConfig
from lora_demo.models.llm import CausalLM, build_llm
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import LLAMA_3_2_3B, MGM_2B

LLAMA_2_7B = LLMConfig(
    family="llama",
    vocab_size=32_000,
    hidden_size=4_096,
    intermediate_size=11_008,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=32,
    head_dim=128,
    tie_word_embeddings=False,
    hidden_act="silu",
)
LLAMA_3_1_8B = LLMConfig(
    family="llama",
    vocab_size=128_256,
    hidden_size=4_096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    tie_word_embeddings=False,
    hidden_act="silu",
)
LANGUAGE_MODELS = {
    "gemma-2b": lambda: build_llm(MGM_2B.llm),
    "llama-2-7b": lambda: build_llm(LLAMA_2_7B),
    "llama-3.1-8b": lambda: build_llm(LLAMA_3_1_8B),
    "llama-3.2-3b": lambda: build_llm(LLAMA_3_2_3B),
    "qwen2.5-7b": lambda: Qwen2ForCausalLM(_qwen_2_5_7b()),
}


@cache
def mgm_2b() -> MGM:
    """The whole vision-language model. Shared: adapt a `fresh` language model instead."""
    with torch.device("meta"):
        return MGM(MGM_2B)


def gemma_2b() -> CausalLM:
    """MGM-2B's language model."""
    return mgm_2b().language_model


def mining() -> nn.Module:
    """Patch-info mining: query, key and value projections."""
    model = mgm_2b()
    return nn.ModuleList([model.vlm_uni_query_projector, model.vlm_uni_aux_projector, model.vlm_uni_val_projector])


@cache
def language_model(name: str) -> nn.Module:
    """A causal language model, shared by all who only count."""
    return fresh(name)


def fresh(name: str) -> nn.Module:
    """A causal language model of one's own, to put an adapter into."""
    with torch.device("meta"):
        return LANGUAGE_MODELS[name]()


@cache
def bert(size: str) -> BertModel:
    """BERT as published, `base` or `large`, without a task head."""
    with torch.device("meta"):
        return BertModel(_bert_large() if size == "large" else BertConfig())


def _bert_large() -> BertConfig:
    return BertConfig(hidden_size=1_024, intermediate_size=4_096, num_hidden_layers=24, num_attention_heads=16)


# q, k and v have biases in this family, which our own configurations do not know
def _qwen_2_5_7b() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=152_064,
        hidden_size=3_584,
        intermediate_size=18_944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
    )
