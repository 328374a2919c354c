"""The experiments, a few steps each: they measure what they say, and their records belong to the shipped base."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.data import nano_questions
from lora_demo.lab import adaptive_rank, catalogue, learning_rates, nano_methods, quantised_base, several_adapters
from lora_demo.lab.workshop import Workshop
from lora_demo.methods import several
from lora_demo.methods.registry import METHODS
from lora_demo.models import fingerprint, shipped
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
TINY = [
    "steps=3",
    "batch=4",
    "data.images=8",
    "data.questions=2",
    "evaluation.rows=4",
    "threads=1",
    "schedule.warmup=0",
]


def recorded(name: str) -> Record:
    """The committed record; one that is still owed is no failure, but shows."""
    path = records_dir() / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"owed: `lora-demo lab {name} --record`")
    return Record.load(path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Runs are shared by the tests below."""
    return Workshop(tmp_path_factory.mktemp("lab"), TINY, images=6)


def test_every_method_has_a_recipe_of_its_own_on_the_same_data():
    recipes = {name: recipe_files.load(name) for name in nano_methods.RECIPES}
    assert {recipe.method.name for recipe in recipes.values()} == set(METHODS)
    assert len({(recipe.data, recipe.steps, recipe.batch, recipe.seed) for recipe in recipes.values()}) == 1


@pytest.mark.parametrize("name", nano_methods.RECIPES)
def test_a_method_trains_and_a_rerun_gives_the_same_accuracy(lab, tmp_path, name):
    first = lab.trained(name)
    again = Workshop(tmp_path, TINY, images=6).trained(name)
    assert first.outcome.losses == again.outcome.losses
    assert first.outcome.evaluation == again.outcome.evaluation
    assert 0 < first.trainable < first.total
    ours, theirs = (dict(done.model.named_parameters()) for done in (first, again))
    assert all(torch.equal(ours[key], theirs[key]) for key in {*ours, *theirs})


def test_the_budget_that_adaptive_rank_leaves_is_the_uniform_ones(lab):
    found = adaptive_rank.measure(lab)
    part = lab.recipe(adaptive_rank.ADAPTIVE).adaptive_rank
    assert found["budget"] == part.final_rank * len(found["ranks"]) == found["uniform_rank"] * len(found["ranks"])
    assert found["adaptive"]["b"]["rows"] == found["uniform"]["b"]["rows"] == 30


def test_packing_shrinks_the_base_and_the_adapter_moves_unchanged(lab):
    found = quantised_base.measure(lab)
    assert found["bytes"]["packed"] < found["bytes"]["plain"] / 6
    assert set(found) == {"base", "packed", "lora", "qlora", "moved", "bytes"}
    trained = lab.trained(quantised_base.PACKED).model
    moved = quantised_base.moved(lab, trained)
    ours, theirs = ({n: p for n, p in model.named_parameters() if "lora_" in n} for model in (moved, trained))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_each_row_of_a_mixed_batch_answers_as_its_adapter_alone(lab):
    found = several_adapters.measure(lab)
    assert found["mixed_batch"]["positions"] > 60
    assert found["mixed_batch"]["same_answer"] == 1
    assert found["mixed_batch"]["largest_difference"] < 1e-4
    assert found["bytes"]["adapter"] < found["bytes"]["base"] / 4
    alone = {name: lab.trained(recipe).model for name, recipe in several_adapters.ADAPTERS.items()}
    shared = several_adapters.together(lab, alone)
    for name, model in alone.items():
        several.switch(shared.language_model, name)
        assert lab.judge(shared) == lab.judge(model) == found[name]
    wrong = {"a": alone["b"], "b": alone["a"]}
    with torch.no_grad():
        mixed, apart = several_adapters.logits_both_ways(lab, shared, wrong, 0)
    assert (mixed - apart).abs().max() > 1e-3, "with the adapters exchanged it must show"


def test_the_command_lists_runs_and_refuses():
    listed = CLI.invoke(app, ["lab"]).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(catalogue.EXPERIMENTS)
    refused = CLI.invoke(app, ["lab", "several-adaptors"])
    assert (refused.exit_code, "several-adapters" in refused.stderr) == (2, True)
    refused = CLI.invoke(app, ["lab", "several-adapters", "--record", "--set", "steps=1"])
    assert (refused.exit_code, "leave --set out" in refused.stderr) == (2, True)
    refused = CLI.invoke(app, ["lab", "several-adapters", "--set", "stepz=1"])
    assert (refused.exit_code, "did you mean 'steps'" in refused.stderr) == (2, True)
    words = [word for setting in TINY for word in ("--set", setting)]
    done = CLI.invoke(app, ["lab", "adaptive-rank", "--images", "2", *words])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["samples"]["budget"] > 0


@pytest.mark.parametrize("name", catalogue.EXPERIMENTS)
def test_a_record_belongs_to_the_shipped_base_and_the_recipes_as_they_stand(name):
    record = recorded(name)
    again = f"run `lora-demo lab {name} --record` again"
    assert record.configuration["base"] == fingerprint.of(shipped.load_nano()), again
    for recipe, kept in record.configuration["recipes"].items():
        assert kept == catalogue.EXPERIMENTS[name].noted(recipe_files.load(recipe)), again


def test_learning_rates_are_the_best_on_validation_questions_of_those_tried():
    samples = recorded("learning-rates").samples
    assert list(samples) == list(learning_rates.RECIPES)
    for name, found in samples.items():
        recipe, best = recipe_files.load(name), learning_rates.best(found)
        assert (recipe.batch, recipe.steps) == (best["batch"], best["steps"]), name
        assert recipe.optimizer.lr == best["lr"], name
        for shape in found:
            rates = sorted(map(float, shape["accuracy"]))
            assert rates[0] < shape["lr"] < rates[-1], f"{name}: the best lies at the edge of what was tried"
            assert shape["accuracy"][f"{shape['lr']:g}"] == max(shape["accuracy"].values()), name


def test_a_walk_ends_where_both_neighbours_are_worse():
    lr, seen = learning_rates.walk(lambda tried: -abs(math.log(tried / 0.1)))
    assert (lr, list(seen)) == (0.1, [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3])
    lr, seen = learning_rates.walk(lambda tried: 0.5)
    assert (lr, list(seen)) == (3e-3, [1e-3, 3e-3, 1e-2]), "among equals it stays"


def test_a_learning_rate_is_looked_for_among_validation_questions_only(lab, monkeypatch):
    monkeypatch.setattr(learning_rates, "RECIPES", ("nano-prompt",))
    monkeypatch.setattr(lab, "held_out", None)
    (found,) = learning_rates.measure(lab)["nano-prompt"]
    assert found["accuracy"][f"{found['lr']:g}"] == max(found["accuracy"].values())


def test_the_methods_record_holds_the_bars():
    samples = recorded("nano-methods").samples
    assert list(samples["methods"]) == list(nano_methods.RECIPES)
    for name, found in samples["methods"].items():
        assert found["seconds"] <= 60, name
        # Overall the smallest methods may lose on old kinds of questions what they win on new ones.
        assert new_kinds(found) > new_kinds(samples["base"]), f"{name} learns nothing"


def new_kinds(judged: dict[str, Any]) -> float:
    """Mean accuracy on the kinds of questions that only family B asks."""
    kinds = set(nano_questions.kinds("b")) - set(nano_questions.kinds("a"))
    return sum(judged["b"]["by_group"][kind] for kind in kinds) / len(kinds)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_rerun_of_a_walk_reproduces_what_was_recorded(tmp_path, monkeypatch):
    kept = recorded("learning-rates").samples
    monkeypatch.setattr(learning_rates, "RECIPES", ("nano-bitfit", "nano-qlora"))
    for name, found in learning_rates.measure(Workshop(tmp_path)).items():
        assert found == kept[name], name


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_rerun_reproduces_the_recorded_accuracies(tmp_path):
    record = recorded("nano-methods")
    lab = Workshop(tmp_path)
    for name, kept in record.samples["methods"].items():
        assert lab.judge(lab.trained(name).model)["b"] == kept["b"], name


def test_a_name_with_brackets_is_refused_in_one_line():
    done = CLI.invoke(app, ["lab", "[/b]" + "x" * 90])
    assert done.exit_code == 2
    assert done.output.startswith("no experiment is called '[/b]xxx")
    assert len(done.output.splitlines()) == 1
