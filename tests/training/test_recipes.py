"""Recipes: every shipped one is valid, mistakes are named with their place, inheritance does what it says."""

from __future__ import annotations

import importlib.resources
import itertools

import pytest

from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError, load, merged

FOLDER = importlib.resources.files("lora_demo.training").joinpath("recipes")
FILES = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".yaml"))
INHERITED_ONLY = ["_gemma-2b.yaml", "_mgm-2b.yaml", "_nano.yaml"]
SHIPPED = {"gemma-2b": 2, "mgm-2b": 35, "nano": 19}


def test_every_file_is_a_recipe_and_none_is_skipped():
    assert [name for name in FILES if name.startswith("_")] == INHERITED_ONLY
    assert recipe_files.shipped() == sorted(name.removesuffix(".yaml") for name in FILES if not name.startswith("_"))
    for model, count in SHIPPED.items():
        assert len([name for name in recipe_files.shipped() if name.startswith(f"{model}-")]) == count, model
    assert len(recipe_files.shipped()) == sum(SHIPPED.values())


@pytest.mark.parametrize("name", recipe_files.shipped())
def test_a_shipped_recipe_is_valid_and_says_what_it_is(name):
    recipe = load(name)
    assert recipe.name == name
    assert recipe.about.endswith(".")
    if recipe.before:
        assert recipe.before in recipe_files.shipped()


def test_settings_on_the_command_line_win():
    recipe = load("nano-lora-b", ["optimizer.lr=1e-4", "method.r=2", "steps=7", "evaluation.patience=null"])
    assert (recipe.optimizer.lr, recipe.method.settings["r"], recipe.steps) == (1e-4, 2, 7)
    assert recipe.data == load("nano-lora-b").data


MISTAKES = {
    "optimzer.lr=1": r"optimzer: no such field; did you mean 'optimizer'",
    "optimizer.lrr=1": r"optimizer\.lrr: no such field; did you mean 'lr'",
    "data.famly=b": r"famly: no such field; did you mean 'family'",
    "data.kind=nan": r"data: .*'nano'",
    "steps=-3": r"steps: .*greater than 0 \(found -3\)",
    "steps=many": r"steps: .*integer",
    "method.name=lorra": r"no method 'lorra'",
    "method.rank=8": r"lora has no setting 'rank'; it has: .*r",
    "method.targets=[vision_tower.layers.0]": r"names a vision tower",
    "micro_batch=64": r"larger than batch",
    "model.preset=mgm-3b": r"preset 'mgm-3b' does not exist",
    "model={preset: gemma-2b, weights: random}": r"gemma-2b is measured only: take data kind synthetic",
    "model.preset=mgm-2b": r"no weights of mgm-2b are shipped",
    "evaluation.patience=2": r"set evaluation\.every",
    "before=nano-towers": r"would replace the model of 'nano-towers'",
    "precision=fp8": r"precision: .*'fp32' or 'bf16'",
    "no-equals-sign": r"expected key=value",
    "steps=[": r"not YAML",
    "about=2024-99-99": r"not YAML: month must be in",
    "method.r=abc": r"  method\.r=abc: expected a whole number",
    "method.r=1.5": r"method\.r=1\.5: expected a whole number",
    "method.r=true": r"method\.r=True: expected a whole number",
    "method.r=99999999999999999999": r"method\.r=9+: expected a whole number",
    "method.alpha=.nan": r"method\.alpha=nan: expected a finite number",
    "method.alpha=nan": r"method\.alpha=nan: expected a finite number",
    "method.alpha='16'": r"method\.alpha=16: expected a finite number",
    "method.rslora=3": r"method\.rslora=3: expected true or false",
    "method.targets=5": r"method\.targets=5: expected a name .*, or a list of names",
    "method.targets=[5]": r"method\.targets=\[5\]: expected a name .*, or a list of names",
    "method={name: prefix, count: abc}": r"method\.count=abc: expected a whole number",
    "method={name: prefix, count: 4, hidden: a}": r"method\.hidden=a: expected a whole number .*, or null",
    "method={name: adapter, bottleneck: 1.5}": r"method\.bottleneck=1\.5: expected a whole number",
    "method={name: ia3, targets: [k_proj], feedforward: 3}": r"method\.feedforward=3: expected a list of names",
    "method={name: ia3, targets: all, feedforward: up_proj}": r"method\.feedforward=up_proj: expected a list of names",
    "method={name: lora, 5: 3}": r"method\.5: Keys should be strings",
    "optimizer.lr.x=3": r"optimizer\.lr is 0\.\d+ and has no fields; set optimizer\.lr itself",
    "optimizer={lr: 1e-3, [a, b]: 4}": r"\['a', 'b'\] cannot name a field",
    "optimizer.betas=[0.9,1.0]": r"optimizer\.betas\.1: .*less than 1 \(found 1\.0\)",
    "optimizer.lr=.inf": r"optimizer\.lr: .*finite number \(found inf\)",
    "optimizer.lr=1e38": r"optimizer\.lr: 1e\+38 would move every weight .*usual are 1e-5 to 1e-2",
    "optimizer.weight_decay=.nan": r"optimizer\.weight_decay: .*(finite|greater)",
    "seed=99999999999999999999999": r"seed: .*less than 9223372036854775808",
    "seed=-1": r"seed: .*greater than or equal to 0 \(found -1\)",
    "data.seed=-1": r"seed: .*greater than or equal to 0 \(found -1\)",
    "steps=99999999999": r"steps: .*less than 2147483648",
    "threads=100000": r"threads: .*less than or equal to 1024 \(found 100000\)",
    "workers=100000": r"workers: .*less than or equal to 256 \(found 100000\)",
    "data.rounds=100": r"questions 6 cannot be cut into rounds of 100; take a divisor",
    "data.questions=100000": r"questions 100000: a picture of family a offers \d+; ask fewer",
    "method=&m {name: lora, r: *m}": r"method\.r=.*: expected a whole number",
}


@pytest.mark.parametrize("setting", MISTAKES)
def test_a_mistake_is_named_with_its_place(setting):
    with pytest.raises(RecipeError, match=MISTAKES[setting]):
        load("nano-lora", [setting])


def test_an_unknown_name_suggests_near_ones():
    with pytest.raises(RecipeError, match="did you mean nano-lora"):
        load("nano-lara")
    with pytest.raises(RecipeError, match="cannot be read"):
        load("absent.yaml")


def test_a_file_inherits_from_a_neighbour_and_from_shipped_recipes(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: nano-lora\nabout: Mine.\nmethod: {r: 4}\n")
    (tmp_path / "yours.yaml").write_text("extends: mine.yaml\nmethod: {name: ia3, targets: all}\n")
    mine, yours = load(str(tmp_path / "mine.yaml")), load(str(tmp_path / "yours.yaml"))
    assert mine.method.settings == {"r": 4, "alpha": 16, "targets": "all"}
    assert (yours.method.name, yours.method.settings) == ("ia3", {"targets": "all"})
    assert (mine.name, yours.name, yours.about) == ("mine", "yours", "Mine.")


def test_a_circle_and_a_double_key_are_refused(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {other}.yaml\n")
    with pytest.raises(RecipeError, match="extends itself"):
        load(str(tmp_path / "a.yaml"))
    (tmp_path / "c.yaml").write_text("extends: nano-lora\nsteps: 1\nsteps: 2\n")
    with pytest.raises(RecipeError, match="'steps' stands twice"):
        load(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("circle", [("a", "a"), ("a", "b", "a"), ("a", "b", "c", "b")])
def test_a_before_that_comes_back_is_refused_with_its_chain(circle, tmp_path):
    for name, first in itertools.pairwise(circle):
        text = f"extends: nano-lora\nmodel: {{weights: random}}\nbefore: {tmp_path / first}.yaml\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"comes back to itself through .* -> .*without before"):
        load(str(tmp_path / "a.yaml"))


def test_a_list_as_key_and_a_loop_are_refused(tmp_path):
    for text, words in (("[a, b]: 4\n", "cannot name a field"), ("odd: " + "[" * 900 + "]" * 900, "nested too deeply")):
        (tmp_path / "odd.yaml").write_text(f"extends: nano-lora\n{text}")
        with pytest.raises(RecipeError, match=words):
            load(str(tmp_path / "odd.yaml"))


def test_parts_merge_field_by_field_unless_their_sort_changes():
    assert merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}
    old = {"a": {"kind": "k", "x": 1}}
    assert merged(old, {"a": {"kind": "k", "z": 2}}) == {"a": {"kind": "k", "x": 1, "z": 2}}
    assert merged(old, {"a": {"kind": "other"}}) == {"a": {"kind": "other"}}
