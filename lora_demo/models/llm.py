"""The language model as a transformers class."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from transformers import GemmaConfig, GemmaForCausalLM, LlamaConfig, LlamaForCausalLM

from lora_demo.models.config import LLMConfig

CausalLM = GemmaForCausalLM | LlamaForCausalLM

_SHARED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "rms_norm_eps",
    "hidden_act",
    "tie_word_embeddings",
    "attention_bias",
    "pad_token_id",
    "eos_token_id",
    "bos_token_id",
)


def rope_parameters(config: LLMConfig) -> dict[str, Any]:
    """Rotary settings in the form transformers 5 takes them."""
    if config.rope_scaling is None:
        return {"rope_type": "default", "rope_theta": config.rope_theta}
    return {"rope_type": "llama3", "rope_theta": config.rope_theta, **asdict(config.rope_scaling)}


def transformers_config(config: LLMConfig) -> GemmaConfig | LlamaConfig:
    """Our configuration as the transformers class of its family."""
    values: dict[str, Any] = {name: getattr(config, name) for name in _SHARED}
    values["rope_parameters"] = rope_parameters(config)
    return GemmaConfig(**values) if config.family == "gemma" else LlamaConfig(**values)


def build_llm(config: LLMConfig) -> CausalLM:
    """A freshly initialised language model; under `torch.device("meta")` it costs no memory."""
    theirs = transformers_config(config)
    return GemmaForCausalLM(theirs) if isinstance(theirs, GemmaConfig) else LlamaForCausalLM(theirs)
