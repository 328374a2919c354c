"""Counts: by formula, by value and not by byte, tied weights once; and what the real geometry gives."""

from __future__ import annotations

import itertools

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GemmaConfig, GemmaForCausalLM

from lora_demo.methods import nf4, registry, surgery
from lora_demo.methods.counting import count_parameters
from lora_demo.methods.lora import apply_lora

GEMMA_2B = {
    "vocab_size": 256000,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
}
LAYERS, WIDTH, KV, FEED = 18, 2048, 256, 16384
SHAPES = {"q": (WIDTH, WIDTH), "k": (KV, WIDTH), "v": (KV, WIDTH), "o": (WIDTH, WIDTH)} | {
    "gate": (FEED, WIDTH),
    "up": (FEED, WIDTH),
    "down": (WIDTH, FEED),
}


@pytest.fixture(scope="module")
def gemma_2b():
    """Builds Gemma-2B's geometry without its memory."""

    def build() -> GemmaForCausalLM:
        with torch.device("meta"):
            return GemmaForCausalLM(GemmaConfig(**GEMMA_2B))

    return build


@pytest.mark.parametrize(("r", "targets"), list(itertools.product([1, 16], [["q", "v"], list(SHAPES)])))
def test_lora_count_is_r_times_d_plus_k(gemma_2b, r, targets):
    model = gemma_2b()
    apply_lora(model, [f"{name}_proj" for name in targets], r=r, alpha=r)
    expected = LAYERS * sum(r * (d + k) for d, k in (SHAPES[name] for name in targets))
    assert count_parameters(model).trainable == expected


def test_other_methods_count_as_their_formulas_say(gemma_2b):
    def trainable(spec: str) -> int:
        model = gemma_2b()
        name, settings = registry.parse(spec)
        registry.apply(model, name, **settings)
        return count_parameters(model).trainable

    one_adapter = 2 * WIDTH * 64 + 64 + WIDTH
    assert trainable("adapter:bottleneck=64") == 2 * LAYERS * one_adapter
    assert trainable("adapter:bottleneck=64,targets=down_proj") == LAYERS * one_adapter
    assert trainable("prefix:count=20") == 20 * LAYERS * 2 * KV
    every_layer = LAYERS * 2 * KV
    network = (KV * 512 + 512) + (512 * every_layer + every_layer)
    assert trainable("prefix:count=20,hidden=512") == 20 * KV + network
    assert trainable("prompt:count=20") == 20 * WIDTH
    assert trainable("ia3:targets=k_proj+v_proj+down_proj,feedforward=down_proj") == LAYERS * (2 * KV + FEED)
    assert trainable("layernorm") == (2 * LAYERS + 1) * WIDTH
    assert trainable("dora:r=8,targets=q_proj") == LAYERS * (8 * 2 * WIDTH + WIDTH)
    assert trainable("adalora:r=8,targets=q_proj") == LAYERS * (8 * 2 * WIDTH + 8)


def test_tied_weight_counts_once(gemma_2b):
    model = gemma_2b()
    registry.apply(model, "full")
    layer = sum(d * k for d, k in SHAPES.values()) + 2 * WIDTH
    count = count_parameters(model)
    assert count.trainable == count.total == 256000 * WIDTH + LAYERS * layer + WIDTH


def test_packed_weights_are_counted_by_value(tiny):
    plain, packed = tiny("gemma"), tiny("gemma")
    nf4.quantise_linears(packed, "all")
    assert count_parameters(packed).total == count_parameters(plain).total
    in_bytes = sum(t.numel() for t in packed.state_dict().values())
    assert in_bytes < count_parameters(plain).total, "counting stored entries is what goes wrong elsewhere"


@pytest.mark.parametrize(("storage", "values_in_an_entry"), [(torch.uint8, 2), (torch.bfloat16, 4)], ids=str)
def test_bitsandbytes_weights_are_counted_by_value(storage, values_in_an_entry):
    """By ours and by PEFT's own print; numel() is the lower, the wider the type that the weights are stored as."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type="nf4", quant_storage=storage).to("cpu")
    assert layer.weight.numel() == 128 * 64 / values_in_an_entry
    assert count_parameters(layer).total == 128 * 64
    model = torch.nn.Sequential()
    model.add_module("proj", layer)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["proj"]))
    assert adapted.get_nb_trainable_parameters() == (2 * (128 + 64), 2 * (128 + 64) + 128 * 64)


def test_share_is_of_the_total(tiny):
    model = tiny("gemma")
    apply_lora(model, ["q_proj"], r=1, alpha=1)
    count = count_parameters(model)
    assert count.share == sum(p.numel() for p in surgery.adapter_parameters(model).values()) / count.total
