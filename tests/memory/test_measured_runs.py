"""`lora-demo memory compare`: a record of a GPU beside the prediction that its recipe alone gives."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands.measure import Request, recipe_of, record_of
from lora_demo.memory.measured_runs import compare
from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.results.record import Record, RecordError
from lora_demo.results.units import GIB
from lora_demo.training.measurement.measuring import Measured, Reading
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError
from tests.unchecked import unchecked

CLI = CliRunner()
REQUEST = Request("nano-lora-b", ("optimizer.implementation=fused",), length=100, batch=2)


def recorded(device: str = "NVIDIA GeForce RTX 4090", stopped: str | None = None, **peaks: int) -> Record:
    """What the command would write on a card that reads these peaks."""
    reading = Reading(seconds=0.1, loss=1.0, tokens_per_second=2000.0, **peaks, resident=GIB) if peaks else None
    measured = Measured(1, 2, 3, [reading] if reading else [], stopped)
    record = record_of(REQUEST, recipe_of(REQUEST), 23 * GIB, measured)
    return replace(record, device=device, configuration=record.configuration | {"cuda": "12.8"})


@pytest.fixture(scope="module")
def predicted():
    return predict_recipe(recipe_of(REQUEST))


def test_the_prediction_comes_from_the_recipe_and_the_error_from_what_was_taken(predicted):
    found = compare(recorded(allocated=1, reserved=predicted.peak_reserved * 2))
    assert found.predicted_allocated == predicted.peak_allocated
    assert found.predicted_reserved == predicted.peak_reserved
    assert found.error == pytest.approx(-0.5)
    assert "-50.0% of what it took" in str(found)


def test_a_run_without_enough_memory_has_measured_nothing(predicted):
    found = compare(recorded(stopped="out of memory", allocated=1, reserved=1))
    assert (found.allocated, found.reserved, found.error) == (None, None, None)
    assert f"out of memory with 23.00 GiB; predicted {predicted.peak_allocated / GIB:.2f} GiB" in str(found)


def test_hopper_cards_hold_a_larger_workspace(predicted):
    found = compare(recorded("NVIDIA H200", allocated=1, reserved=1))
    assert found.predicted_allocated > predicted.peak_allocated


def test_the_command_takes_what_lies_there(tmp_path, monkeypatch, predicted):
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    none = CLI.invoke(app, ["memory", "compare"])
    assert (none.exit_code, "lora-demo measure RECIPE --record" in none.stderr) == (2, True)
    record = recorded(allocated=predicted.peak_allocated, reserved=predicted.peak_reserved)
    on_cpu = replace(record, name="measured-on-cpu", configuration=record.configuration | {"cuda": None})
    paths = [one.save(tmp_path / "qa" / "records") for one in (record, on_cpu)]
    (found,) = json.loads(CLI.invoke(app, ["memory", "compare", "--json"]).stdout)
    assert (found["name"], found["error"]) == (record.name, 0)
    assert ", +0.0% of what it took" in CLI.invoke(app, ["memory", "compare", str(paths[0])]).stdout
    for words, said in (("measured-on-cpu", "was not measured on a GPU"), ("absent", "not a record")):
        done = CLI.invoke(app, ["memory", "compare", words])
        assert (done.exit_code, said in done.stderr) == (2, True)


def test_a_record_of_something_else_is_refused():
    other = replace(recorded(), configuration={"cuda": "12.8"})
    with pytest.raises(RecordError, match="not one that `lora-demo measure --record` wrote"):
        compare(other)
    own_data = recorded(allocated=1, reserved=1)
    own_data.configuration["recipe"]["data"] = {"kind": "nano"}
    with pytest.raises(RecipeError, match="traced are synthetic rows"):
        compare(own_data)


DAMAGED = {
    "samples.peak_reserved=x": "peak_reserved must be int, found 'x'",
    "samples.peak_reserved=0": "peak_reserved 0: no step takes so little",
    "samples.outcome=null": "outcome must be str, found None",
    "configuration.limit=x": "limit must be int, found 'x'",
    "configuration.recipe.steps=x": "steps: Input should be a valid integer",
    "configuration.recipe.method.r=4096": "r=4096: the rank must lie in",
    "configuration.recipe.data.length=4096": "data.length 4096: mgm-nano takes",
    "device=3": "not a record: device is no str",
}


@pytest.mark.parametrize("change", DAMAGED)
def test_a_damaged_record_is_refused_in_words(change, tmp_path):
    path = recorded(allocated=1, reserved=1).save(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    where, _, value = change.partition("=")
    *parts, last = where.split(".")
    place = content
    for part in parts:
        place = place[part]
    place[last] = json.loads(value) if value != "x" else value
    path.write_text(json.dumps(content), encoding="utf-8")
    done = CLI.invoke(app, ["memory", "compare", str(path)])
    assert (done.exit_code, "errors.pydantic.dev" in done.stderr) == (2, False)
    assert DAMAGED[change] in done.stderr


def test_a_language_model_alone_is_predicted_as_the_predictor_has_it():
    recipe = recipe_files.load("gemma-2b-lora-r16-all")
    setting = Setting("gemma-2b", "lora:r=16,alpha=32,targets=all", length=1024, supervised=128, optimizer="fused")
    ours, theirs = unchecked(predict_recipe, recipe), unchecked(predict, setting)
    assert ours.peak_allocated == pytest.approx(theirs.peak_allocated, rel=2e-3)
