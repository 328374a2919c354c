"""Tower features on disk: the same loss as from pictures, towers that run once, folders that do not mix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from lora_demo.data.items import DataError
from lora_demo.models.mgm import MGM
from lora_demo.training.preparation import feature_files
from lora_demo.training.preparation.feature_files import CachedSource, FeatureFiles, bytes_per_picture, require_room
from lora_demo.training.preparation.prepare import apply_method, model_of, nano_set, sources_of
from lora_demo.training.preparation.sources import micro_batch
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

PICTURES = 3


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    file = nano_set("train", "a", images=PICTURES, questions=1).export(tmp_path / "data")
    features = tmp_path / "features"
    data = f"{{kind: folder, file: '{file}', images: '{file.parent / 'images'}', features: '{features}'}}"
    return recipe_files.load("nano-lora", [f"data={data}", "threads=1"])


def prepared(recipe: Recipe) -> MGM:
    model = model_of(recipe.model, 0)
    torch.manual_seed(0)
    apply_method(model, recipe)
    return model.train()


def loss_of(model: MGM, recipe: Recipe) -> torch.Tensor:
    rows = micro_batch(sources_of(recipe, model)[0].inputs(range(PICTURES)), model)
    loss = model(**rows.inputs, supervised_only=True, denominator=rows.terms).loss
    loss.backward()
    return loss.detach()


def written(recipe: Recipe) -> list[Path]:
    return sorted(Path(recipe.data.model_dump()["features"]).glob("*.safetensors"))


def test_features_give_the_loss_and_gradients_of_pictures(recipe):
    outcomes = []
    for switch in (False, True):
        model = prepared(recipe)
        loss = loss_of(model, recipe.model_copy(update={"cache_features": switch}))
        outcomes.append((loss, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(outcomes[1][0], outcomes[0][0], rtol=1e-5, atol=0)
    assert outcomes[0][1].keys() == outcomes[1][1].keys()
    for name, grad in outcomes[0][1].items():
        torch.testing.assert_close(outcomes[1][1][name], grad, rtol=1e-4, atol=1e-6)
    assert len(written(recipe)) == PICTURES


def test_the_towers_run_once_per_picture(recipe, monkeypatch):
    model, seen = prepared(recipe), []
    real = MGM.see
    monkeypatch.setattr(MGM, "see", lambda self, *views: seen.append(len(views[0])) or real(self, *views))
    sources_of(recipe, model)[0].inputs([0, 1])
    assert seen == [1] * PICTURES
    again = sources_of(recipe, model)[0]
    assert isinstance(again, CachedSource)
    again.inputs([0, 1, 2])
    assert seen == [1] * PICTURES
    changed = next(Path(recipe.data.model_dump()["images"]).iterdir())
    os.utime(changed, ns=(1, 1))
    sources_of(recipe, model)
    assert seen == [1] * (PICTURES + 1), "a picture that changed is seen again"


def test_a_files_size_is_what_was_announced(recipe):
    model = prepared(recipe)
    sources_of(recipe, model)
    for path in written(recipe):
        assert 0 <= path.stat().st_size - bytes_per_picture(model) < 1024  # the header


def test_features_of_other_towers_are_refused(recipe, tmp_path):
    model = prepared(recipe)
    FeatureFiles(tmp_path / "features", model)
    with torch.no_grad():
        next(model.vision_tower.parameters()).add_(1)
    with pytest.raises(DataError, match=r"features of other towers; name an empty folder in data\.features"):
        FeatureFiles(tmp_path / "features", model)


def test_a_disk_too_small_is_told_before_the_towers_run(tmp_path, recipe, monkeypatch):
    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda _: _Disk())
    with pytest.raises(DataError, match=r"features of 10 pictures take .* GiB, 0\.0 GiB are free"):
        require_room(tmp_path, 10, prepared(recipe))


class _Disk:
    free = 1
