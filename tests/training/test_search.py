"""What a search may try: shipped ones are sound, mistakes are named, what is drawn lies in the space."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch

from lora_demo.methods import registry
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import mgm_preset
from lora_demo.training.searching import search_files
from lora_demo.training.searching.search import SearchError, base_recipe, candidate, check_methods, draw, spoken

MINE = """
about: A search.
recipe: nano-lora
every: 50
memory: {rows: 4, length: 64}
lr: {low: 1e-4, high: 1e-2, log: true}
methods:
  lora: {r: [2, 4], alpha: {per_rank: [1, 2]}, targets: [[q_proj, v_proj], all]}
  ia3: {targets: [k_proj, v_proj], lr: [1e-2, 3e-2]}
  layernorm: {}
"""


def dice(seed: int):
    """Draws evenly, as Optuna's random sampler would."""
    random_state = random.Random(seed)
    return SimpleNamespace(
        suggest_categorical=lambda name, choices: random_state.choice(choices),
        suggest_float=lambda name, low, high, log=False: random_state.uniform(low, high),
    )


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        (tmp_path / "mine.yaml").write_text(text)
        return search_files.load(str(tmp_path / "mine.yaml"))

    return write


@pytest.fixture(scope="module")
def bare():
    with torch.device("meta"):
        return MGM(mgm_preset("mgm-nano")).language_model


def test_shipped_searches_fit_their_recipes(bare):
    assert search_files.shipped() == ["nano-lora", "nano-methods"]
    for name in search_files.shipped():
        search = search_files.load(name)
        assert search.name == name
        assert search.about.endswith(".")
        assert base_recipe(search).steps >= 2 * search.every
        check_methods(search, bare)


def test_whatever_is_drawn_is_a_recipe_of_the_space(write):
    search = write(MINE)
    recipe, seen = base_recipe(search), set()
    for seed in range(60):
        method, settings, lr = draw(search, dice(seed))
        tried = candidate(recipe, search, (method, settings, lr))
        assert registry.parse(spoken(method, settings)) == (method, settings)
        assert (tried.method.name, tried.method.settings, tried.optimizer.lr) == (method, settings, lr)
        assert (tried.data, tried.steps, tried.evaluation.every) == (recipe.data, recipe.steps, 50)
        if method == "lora":
            assert settings["alpha"] in (settings["r"], 2 * settings["r"])
        assert lr in (1e-2, 3e-2) if method == "ia3" else 1e-4 <= lr <= 1e-2
        seen.add(spoken(method, settings))
    assert len(seen) == 2 * 2 * 2 + 1 + 1


MISTAKES = {
    ("every: 50", "evry: 50"): "evry: no such field; did you mean 'every'",
    ("every: 50", "every: 5000"): "every 5000 lies beyond the recipe's 300 steps",
    ("recipe: nano-lora", "recipe: nano-lara"): "did you mean nano-lora",
    ("r: [2, 4]", "r: []"): "methods.lora.r: an empty list",
    ("r: [2, 4]", "r: {low: 2, high: 4}"): "methods.lora.r: takes no range",
    ("r: [2, 4], ", ""): "methods.lora.alpha: per_rank multiplies r",
    ("low: 1e-4", "low: 1"): "low 1.0 must lie below high 0.01",
    ("r: [2, 4]", "r: [2, 4096]"): "lora:r=4096,alpha=4096,targets=q_proj.v_proj: r=4096",
    ("q_proj, v_proj", "q_proj, w_proj"): "w_proj",
    ("layernorm", "layernom"): "no method 'layernom'",
    ("about: A search.", "- a"): "not YAML",
    ("every: 50", "every: 50\nevery: 60"): r"mine\.yaml: not YAML: 'every' stands twice",
    ("r: [2, 4]", "r: [1, abc]"): r"mine\.yaml: methods\.lora\.r=abc: expected a whole number",
    ("r: [2, 4]", "r: [2, 4], dropout: [a]"): r"mine\.yaml: methods\.lora\.dropout=a: expected a finite number",
    ("lr: [1e-2, 3e-2]", "lr: [1e-2, fast]"): r"mine\.yaml: methods\.ia3\.lr=fast: expected a number above 0",
    ("lr: [1e-2, 3e-2]", "lr: -1"): r"mine\.yaml: methods\.ia3\.lr=-1: expected a number above 0",
    ("targets: [k_proj, v_proj]", "targets: 5"): r"mine\.yaml: methods\.ia3\.targets=5: expected a name",
    ("layernorm: {}", "layernorm: 5"): r"mine\.yaml:\n  methods\.layernorm: .*dictionary",
}


@pytest.mark.parametrize("change", MISTAKES)
def test_a_mistake_is_named_with_its_place(change, write, bare):
    def use():
        search = write(MINE.replace(*change))
        base_recipe(search)
        check_methods(search, bare)

    with pytest.raises(ValueError, match=MISTAKES[change]):
        use()


def test_numbers_without_a_point_are_numbers(write):
    search = write(MINE.replace("r: [2, 4]", "r: [2, 4], dropout: [1e-2, 0.1]"))
    assert search.methods["lora"]["dropout"] == [0.01, 0.1]


def test_an_unknown_search_suggests_the_near_one():
    with pytest.raises(SearchError, match="nano-methods"):
        search_files.load("nano-method")
    with pytest.raises(SearchError, match="cannot be read"):
        search_files.load("absent.yaml")
