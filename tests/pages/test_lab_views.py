"""The tables of the experiments: every method has its line and both its names."""

from __future__ import annotations

import json

import pytest

from lora_demo.lab.nano_methods import RECIPES
from lora_demo.pages.bank.content import load
from lora_demo.pages.writing import lab_views
from lora_demo.pages.writing.lists import LISTS

ACCURACIES = {
    "a": {"accuracy": 0.8, "by_group": {"which": 0.8}},
    "b": {"accuracy": 0.25, "by_group": {"which": 0.4, "above": 0.1, "smallest": 0.05}},
}
COST = {"trainable": 12345, "seconds": 41.6}

TRIAL = {
    "number": 3,
    "state": "done",
    "what": "lora:r=2,alpha=4,targets=q_proj+v_proj",
    "lr": 0.005117,
    "quality": 0.513,
    "memory": 3 * 2**20,
    "trainable": 3584,
}


@pytest.fixture
def bare(small_repo):
    """A repository without records."""
    return load(small_repo)


@pytest.fixture
def content(bare):
    records = bare.root / "qa" / "records"
    records.mkdir(parents=True, exist_ok=True)
    samples = {
        "nano-methods": {"base": ACCURACIES, "methods": dict.fromkeys(RECIPES, ACCURACIES | COST)},
        "several-adapters": dict.fromkeys(("base", "a", "b", "mean"), ACCURACIES),
        "quantised-base": dict.fromkeys(("base", "packed", "qlora", "moved", "lora"), ACCURACIES),
        "adaptive-rank": {
            "ranks": {"0.q_proj": 3, "0.v_proj": 7, "1.q_proj": 0},
            "adaptive": ACCURACIES,
            "uniform": ACCURACIES,
            "uniform_rank": 4,
        },
        "learning-rates": {key: [{"lr": 0.01, "accuracy": {"0.003": 0.25, "0.01": 0.5}}] for key in RECIPES},
        "tune-nano-lora": {"front": [3], "trials": [TRIAL, TRIAL | {"number": 4, "state": "stopped"}]},
    }
    for name, found in samples.items():
        (records / f"{name}.json").write_text(json.dumps({"samples": found}))
    return bare


def test_the_names_cover_the_recipes():
    assert set(lab_views.METHODS) == set(RECIPES)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_tables_say_what_the_records_hold(content, lang):
    methods = LISTS["nano-methods"](content, lang, "nano.md").splitlines()
    assert len(methods) == 2 + 1 + len(RECIPES)
    assert all("25.0% | 7.5% | 80.0%" in line for line in methods[2:])
    assert sum("12,345 | 42 |" in line for line in methods) == len(RECIPES)
    assert len({line.count("|") for line in methods}) == 1
    ranks, accuracies = LISTS["nano-adaptive-rank"](content, lang, "nano.md").split("\n\n")
    assert [line.endswith("| 25.0% | 80.0% |") for line in accuracies.splitlines()[2:]] == [True, True]
    assert "r=4" in accuracies
    assert ranks.splitlines()[2:] == ["| `q_proj` | 3 · 0 | 3 |", "| `v_proj` | 7 | 7 |"]
    for name, rows in (("nano-several-adapters", 4), ("nano-quantised-base", 5)):
        assert len(LISTS[name](content, lang, "nano.md").splitlines()) == 2 + rows


@pytest.mark.parametrize(("lang", "settings"), [("zh", "r=2, α=4，q、v"), ("en", "r=2, α=4, q, v")])
def test_what_was_looked_for_is_shown_with_its_best(content, lang, settings):
    rates = LISTS["nano-learning-rates"](content, lang, "nano.md").splitlines()
    assert len(rates) == 2 + len(RECIPES)
    assert all(line.endswith("| 0.003: 25.0% · **0.01: 50.0%** |") for line in rates[2:])
    table, said = LISTS["nano-tuning"](content, lang, "nano.md").split("\n\n")
    assert table.splitlines()[2:] == [f"| {settings} | 0.0051 | 51.3% | 3.0 MiB | 3,584 |"]
    assert ("2" in said, "1" in said) == (True, True)


def test_an_owed_record_says_so_and_a_damaged_one_is_an_error(bare):
    assert "`lora-demo lab nano-methods --record`" in lab_views.methods(bare, "en", "nano.md")
    place = bare.root / "qa" / "records"
    place.mkdir(parents=True, exist_ok=True)
    (place / "nano-methods.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        lab_views.methods(bare, "en", "nano.md")
