"""How far MGM-2B's step shrinks at the same loss: predicted from recipes as they are shipped.

That the savers leave loss and gradients as they were is tests/training/test_savers.py.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from lora_demo.memory.cards import card
from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.memory.tracing.trace import Replay
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_files import RecipeError
from tests.unchecked import unchecked

LENGTH = 2048
LEAN = "mgm-2b-lora-12gb"
NAIVE = Setting("mgm-2b", "lora:r=16,targets=all", length=LENGTH, loop="plain")
"""The usual loop on the same adapters: whole logits, kept and turned to float32; nothing recomputed."""


def recipe(name: str, supervised: int | None) -> Recipe:
    data = f"data={{kind: synthetic, length: {LENGTH}, supervised: {supervised or 'null'}}}"
    return recipe_files.load(name, [data, "model.weights=random", "batch=1", "micro_batch=null"])


@functools.cache
def step_of(name: str, supervised: int | None) -> Replay:
    return unchecked(predict_recipe, recipe(name, supervised))


@functools.cache
def naive() -> int:
    return unchecked(predict, NAIVE).peak_allocated


def test_with_64_supervised_positions_a_third_is_left():
    found = step_of(LEAN, 64)
    assert found.peak_allocated <= 0.33 * naive()
    assert found.peak_allocated <= 1.2 * found.parts["weights_frozen"]


def test_with_every_position_supervised_it_stays_under_two_fifths():
    assert step_of(LEAN, None).peak_allocated <= 0.40 * naive()


@pytest.mark.parametrize(("name", "gpu"), [("mgm-2b-lora-12gb", "12gb"), ("mgm-2b-lora-8gb", "8gb")])
def test_steps_for_smaller_cards_fit_them(name, gpu):
    assert step_of(name, None).peak_reserved <= card(gpu).budget


def test_on_a_packed_base_it_fits_six_gigabytes():
    """Traced with our own packing, whose temporaries are larger than those of the kernels the recipe asks for."""
    assert step_of("mgm-2b-lora-6gb", 64).peak_reserved <= card("6gb").budget


def test_the_trace_of_a_recipe_is_the_trace_of_its_setting():
    savers = {"optimizer": "fused", "checkpointing": True, "supervised": 64, "loss_chunk": 256}
    setting = replace(NAIVE, loop="ours", **savers)
    assert step_of(LEAN, 64).peak_allocated == unchecked(predict, setting).peak_allocated


def test_what_cannot_be_traced_is_refused():
    with pytest.raises(RecipeError, match="traced are synthetic rows"):
        predict_recipe(recipe_files.load("mgm-2b-full-mixed"))
