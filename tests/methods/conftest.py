"""Tiny models of three shapes, built once; every test works on copies."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GemmaConfig,
    GemmaForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from lora_demo.methods import surgery

VOCABULARY = 64


def _build(family: str) -> PreTrainedModel:
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    torch.manual_seed(0)
    if family == "gemma":
        return GemmaForCausalLM(GemmaConfig(**sizes, num_key_value_heads=1, head_dim=8))
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2))
    return BertForMaskedLM(BertConfig(**sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], PreTrainedModel]:
    """tiny(family) -> a fresh copy of a two-layer Gemma-, Llama- or BERT-shaped model, in eval mode."""
    bases = {family: _build(family).eval() for family in ("gemma", "llama", "bert")}
    for base in bases.values():
        # large enough that every path matters; transformers starts weights near zero
        for parameter in base.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return lambda family: copy.deepcopy(bases[family])


@pytest.fixture(scope="session")
def tokens() -> Tensor:
    return torch.randint(4, VOCABULARY, (3, 7), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def perturb() -> Callable[[nn.Module], None]:
    """Move every adapter parameter off its start, as training would."""

    def move(model: nn.Module, size: float = 0.1) -> None:
        generator = torch.Generator().manual_seed(2)
        for parameter in surgery.adapter_parameters(model).values():
            parameter.data += size * torch.randn(parameter.shape, generator=generator)

    return move


@pytest.fixture(scope="session")
def bits() -> Callable[[nn.Module], dict[str, Tensor]]:
    """A copy of every parameter and buffer by name, to compare bitwise."""
    return lambda model: {name: value.clone() for name, value in model.state_dict().items()}
