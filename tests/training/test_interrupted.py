"""Killed at any moment, a run goes on as if nothing had happened: every loss and every weight, bit for bit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lora_demo.training.engine import checkpoint, metrics
from lora_demo.training.recipes import recipe_files
from lora_demo.training.results import SUMMARY
from lora_demo.training.run import run

KILLER = Path(__file__).parent / "killed.py"
SETTINGS = [
    *("steps=6", "batch=4", "micro_batch=2", "workers=1", "threads=1"),
    *("data.images=12", "data.questions=2", "cache_features=false", "method.dropout=0.1"),
    *("evaluation.every=1", "evaluation.rows=4", "evaluation.batch=4", "save.every=2"),
]
"""Accumulation, a loading process and dropout: each would show a wrong random state or a lost gradient."""
MOMENTS = 13


def curve(folder: Path) -> list[tuple[int, float, float]]:
    return [(line["step"], line["loss"], line["gradient_norm"]) for line in metrics.read(folder) if "loss" in line]


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return checkpoint.load_file(folder / "checkpoints" / name / checkpoint.TRAINED)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(recipe_files.load("nano-lora-b", SETTINGS), folder)
    return folder


@pytest.mark.timeout(600)
def test_kill_9_at_any_moment_and_resume_bit_identically(whole, tmp_path):
    done = subprocess.run(
        [sys.executable, str(KILLER), str(tmp_path), *SETTINGS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    noted = json.loads(done.stdout)
    assert len(noted) == MOMENTS
    assert min(noted.values()) == 0
    assert max(noted.values()) == 6
    expected, sealed = curve(whole), json.loads((whole / SUMMARY).read_text())
    for number, moment in enumerate(noted):
        folder = tmp_path / str(number)
        again = run(recipe_files.load("nano-lora-b", SETTINGS), folder, resume=True)
        assert curve(folder) == expected, moment
        for name in ("step-0000006", checkpoint.BEST):
            ours, theirs = weights(folder, name), weights(whole, name)
            assert all(torch.equal(ours[key], theirs[key]) for key in {*ours, *theirs}), moment
        summary = again.summary()
        assert {key: summary[key] for key in ("steps", "loss", "validation", "best_step")} == {
            key: sealed[key] for key in ("steps", "loss", "validation", "best_step")
        }, moment
        assert not list(folder.rglob("*.part")), moment


def test_a_run_that_goes_on_with_another_recipes_model_resumes_with_its_own_optimizer(tmp_path, monkeypatch):
    short = [*SETTINGS[:6], "evaluation.rows=4", "save.every=2"]
    before = recipe_files.load("nano-full", short)
    fresh = {"before": "nano-full", "model": before.model.model_copy(update={"weights": "random"})}
    recipe = recipe_files.load("nano-full-b", short).model_copy(update=fresh)
    monkeypatch.setattr(recipe_files, "load", lambda name: before)
    run(recipe, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for later in ("step-0000006", checkpoint.BEST):
        shutil.rmtree(tmp_path / "cut" / "checkpoints" / later)
    run(recipe, tmp_path / "cut", resume=True)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    patient = ["optimizer.lr=1e-12", "evaluation.every=1", "evaluation.patience=2", "workers=0"]
    recipe = recipe_files.load("nano-lora-b", [*SETTINGS, *patient])
    first = run(recipe, tmp_path / "run")
    again = run(recipe, tmp_path / "run", resume=True)
    assert first.outcome.steps == again.outcome.steps == 3
    assert first.outcome.evaluation == again.outcome.evaluation


def test_a_best_state_whose_replacement_was_killed_comes_back(whole, tmp_path):
    place = tmp_path / "checkpoints"
    shutil.copytree(whole / "checkpoints" / checkpoint.BEST, place / ".best.ab12_x.old.part")
    checkpoint.recover(place)
    best = checkpoint.best(place)
    assert best is not None
    assert checkpoint.damage(best) is None
    checkpoint.recover(place)
    assert [path.name for path in place.iterdir()] == [checkpoint.BEST]


def test_a_run_goes_on_from_its_best_state_where_no_other_is_left(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "cut")
    place = tmp_path / "cut" / "checkpoints"
    best = checkpoint.read_progress(place / checkpoint.BEST).step
    for path in checkpoint.numbered(place):
        if checkpoint.read_progress(path).step >= best:
            shutil.rmtree(path)
    assert checkpoint.newest(place) == place / checkpoint.BEST
    assert checkpoint.left(place) == f"The last good checkpoint is {place / checkpoint.BEST}."


def test_a_lost_best_state_gives_way_to_the_last_one(whole, tmp_path):
    recipe = recipe_files.load("nano-lora-b", SETTINGS)
    shutil.copytree(whole, tmp_path / "cut")
    best = tmp_path / "cut" / "checkpoints" / checkpoint.BEST
    (best / checkpoint.TRAINED).write_bytes(b"")
    with pytest.raises(checkpoint.CheckpointError, match=f"is damaged .* Remove {best} to have --resume take the last"):
        run(recipe, tmp_path / "cut", resume=True)
    shutil.rmtree(best)
    with pytest.warns(checkpoint.BrokenCheckpoint, match="the result is the last step's instead"):
        done = run(recipe, tmp_path / "cut", resume=True)
    assert done.outcome.best is None
    assert done.summary()["validation"] == done.outcome.evaluation.to_json()
