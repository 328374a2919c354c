"""Measured steps: the same numbers as a bare loop, readings that add up, and out-of-memory as a result."""

from __future__ import annotations

import pytest
import torch

from lora_demo.data.items import DataError
from lora_demo.models.presets import mgm_preset
from lora_demo.training.engine.optimizers import build
from lora_demo.training.loop import forward_options
from lora_demo.training.measurement import measuring
from lora_demo.training.measurement.measuring import Measured, Reading, as_measured, measure
from lora_demo.training.preparation.prepare import apply_method, model_of
from lora_demo.training.preparation.sources import micro_batch
from lora_demo.training.preparation.synthetic import SyntheticSource, fitting, sizes
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.step import StepOptions, step

LENGTH, ROWS = 100, 2


def short(name: str = "nano-lora-b", *settings: str, supervised: int | None = 8, length: int = LENGTH) -> Recipe:
    recipe = recipe_files.load(name, ["threads=1", *settings])
    return as_measured(recipe, steps=2, length=length, batch=ROWS, supervised=supervised, as_written=False)


def test_only_size_and_values_differ_from_the_recipe():
    written, measured = recipe_files.load("nano-lora-b"), short()
    assert measured.data.model_dump()["length"] == LENGTH
    assert (measured.model.weights, measured.batch, measured.save.every) == ("random", ROWS, None)
    for field in ("method", "optimizer", "schedule", "precision", "clip_norm", "seed"):
        assert getattr(measured, field) == getattr(written, field)


def test_steps_are_real_ones():
    """By the step alone, without loop, display or files."""
    recipe = short()
    found = measure(recipe)
    model = model_of(recipe.model, recipe.seed)
    torch.manual_seed(recipe.seed)
    apply_method(model, recipe)
    model.train()
    assert isinstance(recipe.data, SyntheticData)
    rows = SyntheticSource(recipe.data, model.config).inputs([0, 1])
    settings = {**recipe.optimizer.model_dump(), "lr": recipe.optimizer.lr}
    optimizer = build(model.parameters(), **settings)
    batch = [micro_batch(rows, model)]
    first = step(model, batch, optimizer, StepOptions(recipe.clip_norm, forward_options(recipe)))
    # two rows that are all there is: their order in the batch may differ, and with it the order of sums
    assert found.readings[0].loss == pytest.approx(float(first.loss), rel=1e-5)
    assert len(found.readings) == 2
    assert found.stopped is None
    assert found.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert found.weights == sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
    for reading in found.readings:
        assert reading.allocated is None
        assert reading.resident > found.weights
        assert ROWS * LENGTH / reading.seconds < reading.tokens_per_second < 1e6


def test_speed_is_read_without_the_first_step_and_peaks_over_all():
    readings = [Reading(9.0, 1.0, 10.0, 7, 8, 3), Reading(1.0, 1.0, 50.0, 5, 9, 4), Reading(1.0, 1.0, 70.0, 5, 9, 2)]
    found = Measured(readings=readings)
    assert found.tokens_per_second == 60
    assert (found.peak_allocated, found.peak_reserved, found.peak_resident) == (7, 9, 4)
    assert Measured(readings=readings[:1]).tokens_per_second == 10
    assert (Measured().tokens_per_second, Measured().peak_allocated) == (None, None)


def test_out_of_memory_is_a_result(monkeypatch):
    real, calls = measuring.Loop._step, []

    def second_fails(self, batch):
        calls.append(1)
        if len(calls) == 2:
            monkeypatch.setattr(self.engine, "clip", _refuse)
        return real(self, batch)

    monkeypatch.setattr(measuring.Loop, "_step", second_fails)
    found = measure(short())
    assert len(found.readings) == 1
    assert found.stopped is not None
    assert "out of memory in the update of step 2: 2.00 GiB were asked for" in found.stopped


def _refuse(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB")


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(RecipeError, match="supervised 100 must be less than length 100"):
        short(supervised=LENGTH)


def test_as_many_positions_are_supervised_as_a_row_has_words():
    config = mgm_preset("mgm-nano")
    for length in (config.image_tokens + 3, config.image_tokens + 4):
        words = length - config.image_tokens - 1
        assert fitting(words + 1, length, config) == words == fitting(words, length, config)
        assert sizes(SyntheticData(kind="synthetic", length=length, supervised=words), config) == (words, words)
        assert fitting(None, length, config) is None
        with pytest.raises(DataError, match=f"take {words} or fewer, or a length of {length + 1}"):
            sizes(SyntheticData(kind="synthetic", length=length, supervised=words + 1), config)
    assert fitting(8, 1, config) is None


def test_every_text_position_may_count():
    found = measure(short(supervised=None))
    assert len(found.readings) == 2
