"""The loop on real nano runs, tiny: broken checkpoints, NaN, frozen weights, metrics."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from lora_demo.training import loop, results
from lora_demo.training.engine import checkpoint, metrics
from lora_demo.training.engine.checkpoint import BrokenCheckpoint
from lora_demo.training.loop import TrainingStopped
from lora_demo.training.preparation.prepare import model_of
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.run import run

TINY = [
    "steps=8",
    "batch=4",
    "data.images=12",
    "data.questions=2",
    "evaluation.rows=4",
    "evaluation.batch=4",
    "save.every=2",
    "threads=1",
    "method.dropout=0.1",
]
"""Dropout on: without it a wrong random state after resuming would go unnoticed."""


def tiny(*more: str, name: str = "nano-lora-b"):
    return recipe_files.load(name, [*TINY, *more])


def curve(folder: Path) -> list[tuple[int, float, float]]:
    return [(line["step"], line["loss"], line["gradient_norm"]) for line in metrics.read(folder) if "loss" in line]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(tiny(), folder)
    return folder


def weights_of(folder: Path, step: int = 8) -> dict[str, torch.Tensor]:
    return checkpoint.load_file(folder / "checkpoints" / f"step-{step:07d}" / checkpoint.TRAINED)


def test_metrics_hold_every_step_once(whole):
    steps = curve(whole)
    assert [step for step, _, _ in steps] == list(range(1, 9))
    evaluated = [line for line in metrics.read(whole) if "evaluation" in line]
    assert [line["step"] for line in evaluated] == [8]
    assert evaluated[0]["evaluation"]["rows"] == 4


def test_the_newest_broken_checkpoint_is_passed_over(whole, tmp_path):
    folder = tmp_path / "run"
    run(tiny("save.keep=9"), folder)
    newest = folder / "checkpoints" / "step-0000006"
    for path in checkpoint.numbered(folder / "checkpoints"):
        if path.name > newest.name:
            (path / checkpoint.TRAINED).write_bytes(b"")
    shutil.rmtree(folder / "checkpoints" / checkpoint.BEST)
    content = bytearray((newest / checkpoint.TRAINED).read_bytes())
    content[-1] ^= 1
    (newest / checkpoint.TRAINED).write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = checkpoint.newest(folder / "checkpoints")
    assert found is not None
    assert found.name == "step-0000004"
    told = [str(warning.message) for warning in caught if warning.category is BrokenCheckpoint]
    assert len(told) == 2
    assert "step-0000006" in told[1]
    assert "trained.safetensors has changed" in told[1]


def test_a_nan_loss_stops_with_the_last_good_checkpoint_intact(tmp_path, monkeypatch):
    from lora_demo.training import loop

    folder = tmp_path / "run"
    real, calls = loop.step, []

    def spoiled(model, batch, *rest):
        calls.append(1)
        if len(calls) == 6:
            next(p for p in model.parameters() if p.requires_grad).data.fill_(float("nan"))
        return real(model, batch, *rest)

    monkeypatch.setattr(loop, "step", spoiled)
    with pytest.raises(TrainingStopped, match=r"step 6: the loss is not a finite number; .*step-0000004"):
        run(tiny(), folder)
    assert checkpoint.damage(folder / "checkpoints" / "step-0000004") is None
    assert all(torch.isfinite(value).all() for value in weights_of(folder, 4).values())


def test_only_the_adapter_changes_and_the_result_loads(whole):
    recipe = tiny()
    base = model_of(recipe.model, recipe.seed)
    trained = results.load(whole)
    before, after = dict(base.named_parameters()), dict(trained.named_parameters())
    frozen = {
        name: after[name.replace("proj.weight", "proj.base.weight")] if name not in after else after[name]
        for name in before
    }
    assert all(torch.equal(before[name], frozen[name]) for name in before)
    moved = [name for name in after if name.endswith("lora_B") and after[name].abs().sum() > 0]
    assert len(moved) == 7 * base.config.llm.num_hidden_layers
    assert len(after) - len(before) == 2 * len(moved)


def test_full_fine_tuning_leaves_the_towers_bit_identical(tmp_path):
    recipe = recipe_files.load("nano-full", [setting for setting in TINY if "dropout" not in setting])
    base = model_of(recipe.model, recipe.seed)
    finished = run(recipe, tmp_path / "run")
    untouched = {name for name, p in finished.model.named_parameters() if torch.equal(p, base.get_parameter(name))}
    towers = {name for name, _ in base.named_parameters() if name.startswith("vision_tower")}
    dead = {f"vlm_uni_aux_projector.{part}.bias" for part in (0, 1)}
    assert towers <= untouched
    assert untouched - towers == dead
    assert finished.trainable == sum(p.numel() for n, p in base.named_parameters() if n not in towers)


def test_how_a_batch_is_cut_does_not_change_the_curve(whole, tmp_path):
    run(tiny("micro_batch=1", "method.dropout=0.0"), tmp_path / "cut")
    run(tiny("method.dropout=0.0"), tmp_path / "uncut")
    cut, uncut = (torch.tensor([loss for _, loss, _ in curve(tmp_path / name)]) for name in ("cut", "uncut"))
    assert torch.allclose(cut, uncut, rtol=2e-5)


def test_patience_ends_a_run_that_does_not_improve(tmp_path):
    recipe = tiny("optimizer.lr=1e-12", "evaluation.every=2", "evaluation.patience=2")
    finished = run(recipe, tmp_path / "run")
    assert finished.outcome.steps < recipe.steps
    assert finished.outcome.best_step is not None
    assert finished.outcome.steps - finished.outcome.best_step == 4


def test_a_folder_in_use_is_not_overwritten_unasked(whole):
    content = copy.deepcopy(curve(whole))
    with pytest.raises(TrainingStopped, match="--resume"):
        run(tiny(), whole)
    with pytest.raises(TrainingStopped, match="belongs to another recipe: optimizer differ"):
        run(tiny("optimizer.lr=0.5"), whole, resume=True)
    assert curve(whole) == content


def test_overwriting_removes_a_run_and_nothing_else(tmp_path):
    folder = tmp_path / "run"
    run(tiny("seed=1"), folder)
    (folder / "thesis.txt").write_text("mine")
    (folder / "notes").mkdir()
    run(tiny(), folder, overwrite=True)
    run(tiny(), tmp_path / "fresh")
    assert curve(folder) == curve(tmp_path / "fresh")
    assert (folder / "thesis.txt").read_text() == "mine"
    assert (folder / "notes").is_dir()


def test_a_folder_that_no_run_wrote_is_not_overwritten(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mine").write_text("mine")
    with pytest.raises(TrainingStopped, match="no run of ours wrote it"):
        run(tiny(), tmp_path, overwrite=True)
    assert (tmp_path / "checkpoints" / "mine").read_text() == "mine"


def test_going_on_and_starting_anew_exclude_each_other(whole):
    content = copy.deepcopy(curve(whole))
    with pytest.raises(RecipeError, match="give one of them"):
        run(tiny(), whole, resume=True, overwrite=True)
    assert curve(whole) == content


def test_how_a_step_is_computed_may_change_when_a_run_goes_on(tmp_path):
    run(tiny("threads=1"), tmp_path / "run")
    for later in ("step-0000008", checkpoint.BEST):
        shutil.rmtree(tmp_path / "run" / "checkpoints" / later)
    again = run(tiny("workers=1", "micro_batch=1", "save.keep=3"), tmp_path / "run", resume=True)
    assert again.outcome.steps == 8
    assert '"workers": 1' in (tmp_path / "run" / "recipe.json").read_text()


def test_what_a_row_is_may_not_change_when_a_run_goes_on(tmp_path):
    run(tiny(), tmp_path / "run")
    cached = "true" if not tiny().cache_features else "false"
    with pytest.raises(TrainingStopped, match="belongs to another recipe: cache_features differ"):
        run(tiny(f"cache_features={cached}"), tmp_path / "run", resume=True)


def test_weights_that_are_no_numbers_are_never_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingStopped, match=r"no finite numbers any more.*clip_norm"):
        run(tiny("optimizer.lr=1e6", "schedule.warmup=0", "clip_norm=null", "save.every=1"), tmp_path / "run")
    kept = checkpoint.newest(tmp_path / "run" / "checkpoints")
    if kept is not None:
        assert all(value.isfinite().all() for value in checkpoint.load_file(kept / checkpoint.TRAINED).values())


def test_an_evaluation_that_takes_too_much_memory_loses_no_step(tmp_path, monkeypatch):
    def too_much(*_, **__):
        raise MemoryError

    monkeypatch.setattr(loop, "evaluate", too_much)
    with pytest.raises(TrainingStopped, match=r"evaluation after step 8.*step-0000008.*Lower evaluation.batch"):
        run(tiny(), tmp_path / "run")
    assert checkpoint.read_progress(checkpoint.newest(tmp_path / "run" / "checkpoints")).step == 8


def test_a_line_that_is_no_measurement_is_named(tmp_path):
    folder = tmp_path / "run"
    run(tiny(), folder)
    lines = (folder / metrics.FILE).read_text()
    (folder / metrics.FILE).write_text("not json\n" + lines)
    with pytest.raises(TrainingStopped, match=r"metrics.jsonl: line 1 is none of ours"):
        run(tiny(), folder, resume=True)
    (folder / metrics.FILE).unlink()
    assert run(tiny(), folder, resume=True).summary()["loss"] is None


def test_a_checkpoint_with_fields_of_another_program_is_passed_over(tmp_path):
    folder = tmp_path / "run"
    run(tiny(), folder)
    seal = folder / "checkpoints" / "step-0000008" / checkpoint.SEAL
    content = json.loads(seal.read_text())
    content["progress"]["mood"] = "good"
    seal.write_text(json.dumps(content))
    with pytest.warns(BrokenCheckpoint, match="mood"):
        assert run(tiny(), folder, resume=True).outcome.steps == 8


def test_what_is_reported_is_the_result(tmp_path):
    """The result is the best state, so its evaluation is what counts, not that of the last step."""
    finished = run(tiny("optimizer.lr=0.3", "evaluation.every=1"), tmp_path / "run")
    by_step = {line["step"]: line["evaluation"] for line in metrics.read(tmp_path / "run") if "evaluation" in line}
    assert finished.summary()["validation"] == by_step[finished.outcome.best_step]
    again = run(tiny("optimizer.lr=0.3", "evaluation.every=1"), tmp_path / "run", resume=True)
    assert again.summary()["validation"] == finished.summary()["validation"]


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    real = checkpoint.save_file

    def no_space(tensors, path, **options):
        if "step-0000004" in str(path):
            raise OSError(28, "No space left on device")
        return real(tensors, path, **options)

    monkeypatch.setattr(checkpoint, "save_file", no_space)
    with pytest.raises(TrainingStopped, match=r"No space left.*step-0000002"):
        run(tiny(), folder)
    assert [path.name for path in checkpoint.numbered(folder / "checkpoints")] == ["step-0000002"]
    assert checkpoint.damage(folder / "checkpoints" / "step-0000002") is None
    assert not list((folder / "checkpoints").glob(".*"))


def test_a_path_that_cannot_be_a_folder_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingStopped, match="cannot be written"):
        run(tiny(), tmp_path / "file" / "run")


def test_the_saved_recipe_reads_back(whole):
    stored = json.loads((whole / results.RECIPE).read_text(encoding="utf-8"))
    assert recipe_files.parse(stored, "stored").model_dump() == tiny().model_dump()


def test_tensorboard_holds_what_the_lines_hold(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tiny("tensorboard=true", "steps=3"), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / metrics.EVENTS))
    events.Reload()
    shown = [(event.step, event.value) for event in events.Scalars("loss")]
    assert shown == [(step, pytest.approx(loss)) for step, loss, _ in curve(tmp_path / "run")]
    assert "evaluation/accuracy" in events.Tags()["scalars"]
