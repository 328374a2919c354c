"""Recipes for MGM-2B: each one is put on the full-size model on paper, and trains what it says."""

from __future__ import annotations

import functools

import pytest

from lora_demo.methods.errors import MethodError
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_2B
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

MADE_UP = ["data={kind: synthetic, length: 704, supervised: 64}", "model.weights=random"]
NAMES = [name for name in recipe_files.shipped() if name.startswith("mgm-2b-")]
TARGETS = {
    "qv": "qv",
    "qkvo": "qkvo",
    "qvo": "qvo",
    "qvo-gate": "qvog",
    "qvo-mlp": "qvogud",
    "all": "qkvogud",
}
LLM = MGM_2B.llm
KEYS = LLM.num_key_value_heads * LLM.head_dim
WIDTHS = {
    "q": LLM.hidden_size + LLM.num_attention_heads * LLM.head_dim,
    "k": LLM.hidden_size + KEYS,
    "v": LLM.hidden_size + KEYS,
    "o": LLM.num_attention_heads * LLM.head_dim + LLM.hidden_size,
    **dict.fromkeys("gud", LLM.hidden_size + LLM.intermediate_size),
}
"""Linear layer, by its first letter -> input plus output width."""
REFUSED = {"mgm-2b-bitfit": "has no biases"}


@functools.cache
def recipe_of(name: str) -> Recipe:
    return recipe_files.load(name, MADE_UP)


@functools.cache
def model_of(name: str) -> MGM:
    return preflight.check(recipe_of(name), cuda=True)


def trained(name: str) -> int:
    return sum(p.numel() for p in model_of(name).parameters() if p.requires_grad)


def test_every_rank_has_every_target_set():
    assert {f"mgm-2b-lora-r{r}-{targets}" for r in (8, 16, 32) for targets in TARGETS} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_a_recipe_fits_the_full_size_model(name):
    assert trained(name) > 0
    towers = (model_of(name).vision_tower, model_of(name).vision_tower_aux)
    assert not any(p.requires_grad for tower in towers for p in tower.parameters())
    if name.startswith("mgm-2b-full"):
        assert trained(name) == 2_519_431_424


@pytest.mark.parametrize("rank", [8, 16, 32])
@pytest.mark.parametrize("targets", TARGETS)
def test_lora_trains_rank_times_both_widths(rank, targets):
    per_layer = sum(rank * WIDTHS[letter] for letter in TARGETS[targets])
    assert trained(f"mgm-2b-lora-r{rank}-{targets}") == LLM.num_hidden_layers * per_layer
    settings = recipe_of(f"mgm-2b-lora-r{rank}-{targets}").method.settings
    assert settings["alpha"] == 2 * settings["r"] == 2 * rank


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_its_reason(name):
    with pytest.raises(MethodError, match=REFUSED[name]):
        preflight.check(recipe_of(name), cuda=True)


def test_smaller_cards_take_more_savers():
    cards = [recipe_of(f"mgm-2b-lora-{size}gb") for size in (24, 12, 8, 6)]
    assert all(recipe.checkpointing and recipe.loss_chunk for recipe in cards)
    assert [recipe.micro_batch for recipe in cards] == [4, 1, 1, 1]
    assert [recipe.feedforward_tile for recipe in cards] == [None, None, 512, 512]
    assert [recipe.model.nf4 for recipe in cards] == [None, None, None, "bitsandbytes"]
