"""The forecast of a full-size step on a CPU: operations and bytes by a second count, and against the recorded run."""

from __future__ import annotations

import functools

import pytest

from lora_demo.methods.module import AdapterModule
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_2B
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from lora_demo.training.measurement import forecast as forecasting
from lora_demo.training.measurement.forecast import INTERPRETER, Forecast, forecast
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

SPEED = 1e10


@pytest.fixture(autouse=True)
def _one_speed(monkeypatch):
    monkeypatch.setattr(forecasting, "operations_per_second", lambda *, bfloat16: SPEED)


@functools.cache
def on_paper(*settings: str) -> tuple[Recipe, MGM]:
    recipe = recipe_files.load("mgm-2b-lora-cpu", settings)
    return recipe, preflight.check(recipe, cuda=False)


def foretold(*settings: str) -> Forecast:
    recipe, model = on_paper(*settings)
    return forecast(model, recipe)


def test_operations_are_those_of_the_products():
    """Decoder: once forward, once for the gradient of what flows through; towers: forward only."""
    llm, positions = MGM_2B.llm, 639
    heads = llm.num_attention_heads * llm.head_dim
    keys = llm.num_key_value_heads * llm.head_dim
    per_layer = 2 * heads * llm.hidden_size + 2 * keys * llm.hidden_size + 3 * llm.hidden_size * llm.intermediate_size
    decoder = 2 * 2 * positions * llm.num_hidden_layers * per_layer
    found = foretold()
    assert decoder < found.operations < 1.5 * decoder
    assert found.seconds == found.operations / SPEED
    twice = foretold("batch=2", "micro_batch=1")
    assert twice.operations == pytest.approx(2 * found.operations)
    assert twice.peak == found.peak


def test_the_least_is_weights_and_states():
    recipe, model = on_paper()
    adapters = sum(
        module.get_parameter(name).numel()
        for module in model.modules()
        if isinstance(module, AdapterModule)
        for name in module.adapter_parameter_names
    )
    frozen = sum(p.numel() for p in model.parameters()) - adapters
    buffers = sum(b.nbytes for b in model.buffers())
    # float32 adapters with gradient and two moments; fused AdamW copies nothing
    assert recipe.optimizer.implementation == "fused"
    assert forecast(model, recipe).least == 2 * frozen + buffers + 16 * adapters + INTERPRETER


def test_recomputing_keeps_less_and_computes_more():
    plain, lean = foretold(), foretold("checkpointing=true")
    assert lean.peak < plain.peak
    assert lean.operations > 1.2 * plain.operations


def test_the_recorded_run_took_about_as_much():
    path = records_dir() / "mgm-2b-cpu-step-lora.json"
    if not path.is_file():
        pytest.skip(f"{path.name} is owed: `lora-demo bench full-size --record`, on an otherwise idle machine")
    record = Record.load(path)
    assert record.configuration["targets"] == on_paper()[0].method.settings["targets"]
    assert record.samples["step"]["positions"] == on_paper()[0].data.model_dump()["length"]
    assert foretold().peak == pytest.approx(record.samples["step"]["peak"], rel=0.2)
