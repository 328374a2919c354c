"""`lora-demo merge`: the written checkpoint computes what base and adapter compute; otherwise nothing is written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.methods import own_format, peft_format, registry, surgery
from lora_demo.methods.lora import LoRALinear
from lora_demo.models import fingerprint, shipped, weights
from lora_demo.models.materialise import randomise
from lora_demo.models.mgm import MGM
from lora_demo.models.projectors import PROJECTORS
from lora_demo.training import results
from lora_demo.training.merge_adapter import probe
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
METHODS = {
    "lora": {"r": 4, "alpha": 8, "targets": "all"},
    "dora": {"r": 2, "alpha": 2, "targets": ["q_proj", "down_proj"]},
    "pissa": {"r": 2, "alpha": 2, "targets": ["q_proj"]},
    "ia3": {"targets": ["k_proj", "down_proj"], "feedforward": ["down_proj"]},
    "adalora": {"r": 4, "alpha": 4, "targets": ["v_proj"]},
    "qlora": {"r": 4, "alpha": 8, "targets": ["q_proj", "v_proj"]},
}


def merge(*words) -> tuple[int, str, str]:
    done = CLI.invoke(app, ["merge", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def adapted(method: str, model: MGM | None = None) -> MGM:
    """Nano with an adapter that does something."""
    model = model or shipped.load_nano()
    torch.manual_seed(0)
    registry.apply(model.language_model, method, **METHODS[method])
    with torch.no_grad():
        for parameter in surgery.adapter_parameters(model.language_model).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def saved(method: str, folder, model: MGM | None = None) -> tuple[MGM, object]:
    """The model, and the folder that its adapter was saved to."""
    model = adapted(method, model)
    if method in results.PEFT_METHODS:
        return model, peft_format.save(model.language_model, folder)
    return model, own_format.save(model.language_model, folder, method, METHODS[method])


@pytest.mark.parametrize("method", METHODS)
def test_the_merged_folder_computes_what_the_adapter_did(method, tmp_path):
    model, folder = saved(method, tmp_path / "adapter")
    code, printed, errors = merge(folder, "--base", "nano", "--out", tmp_path / "merged", "--json")
    assert code == 0, errors
    found = json.loads(printed)
    merged = weights.load(tmp_path / "merged")
    torch.testing.assert_close(probe(merged), probe(model), rtol=1e-3, atol=1e-3)
    assert found["error"] < 1e-5 < 1e-3 < found["effect"]
    base, now = (dict(m.named_parameters()) for m in (shipped.load_nano(), merged))
    assert found["changed"] == sum(not torch.equal(now[name], base[name]) for name in base) > 0


def test_a_released_folder_keeps_its_layout_and_type(released, tmp_path):
    model, folder = saved("lora", tmp_path / "adapter", weights.load(released, dtype=torch.float32))
    code, printed, errors = merge(folder, "--base", released, "--out", tmp_path / "merged")
    assert code == 0, errors
    assert "checked before writing" in printed
    assert "only the shapes could be compared" in printed
    merged, report = weights.load_reported(tmp_path / "merged")
    assert report.dtypes == ("bfloat16",)
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert names == {"model.safetensors", "geometry.json", "config.json", "tokenizer.json"}
    assert (probe(merged) - probe(model)).norm() < 0.03 * probe(model).norm()
    code, _, errors = merge(folder, "--base", released, "--out", tmp_path / "wide", "--dtype", "float32")
    assert code == 0, errors
    torch.testing.assert_close(probe(weights.load(tmp_path / "wide")), probe(model), rtol=1e-3, atol=1e-3)


def test_a_run_knows_its_base_and_its_projectors(tmp_path):
    settings = ["steps=2", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1"]
    settings += ["cache_features=false", "method.projectors=true", "optimizer.lr=1e-2"]
    options = [word for setting in settings for word in ("--set", setting)]
    run = tmp_path / "run"
    done = CLI.invoke(app, ["train", "nano-lora", *options, "--out", str(run)])
    assert done.exit_code == 0, done.stderr
    code, printed, errors = merge(run, "--out", tmp_path / "merged", "--json")
    assert code == 0, errors
    found = json.loads(printed)
    assert found["changed"] == 28 + 16
    assert found["base_known"]
    merged, trained = weights.load(tmp_path / "merged"), results.load(run)
    torch.testing.assert_close(probe(merged), probe(trained), rtol=1e-3, atol=1e-3)
    other = shipped.load_nano()
    randomise(other, seed=1)
    weights.save(other, tmp_path / "other")
    code, _, errors = merge(run, "--base", tmp_path / "other", "--out", tmp_path / "wrong")
    assert code == 2
    assert "trained on another base" in errors
    assert not (tmp_path / "wrong").exists()


@pytest.fixture
def run(tmp_path):
    """A finished run's folder with projectors in it, without the training."""
    folder = tmp_path / "run"
    model, _ = saved("lora", folder / results.ADAPTER)
    recipe = recipe_files.load("nano-lora", ["method.projectors=true"])
    results.save_recipe(recipe, folder)
    fingerprint.save(fingerprint.of(model), folder)
    trained = {n: p.detach() + 0.01 for n, p in model.named_parameters() if n.split(".")[0] in PROJECTORS}
    save_file(trained, folder / results.PROJECTORS)
    return folder


def test_the_adapter_inside_a_run_stands_for_the_run(run, tmp_path):
    found = []
    for number, place in enumerate((run, run / results.ADAPTER)):
        code, printed, errors = merge(place, "--out", tmp_path / str(number), "--json")
        assert code == 0, errors
        found.append(json.loads(printed)["changed"])
    assert found[0] == found[1]
    merged = (weights.load(tmp_path / name).mm_projector for name in "01")
    assert all(torch.equal(a, b) for a, b in zip(*(part.parameters() for part in merged), strict=True))


def refused(tmp_path, folder, *options) -> str:
    code, _, errors = merge(folder, "--out", tmp_path / "merged", *options)
    assert code == 2, errors
    assert not (tmp_path / "merged").exists()
    return errors


def test_projectors_that_do_not_fit_are_named(run, tmp_path):
    path = run / results.PROJECTORS
    sound = load_file(path)
    first = next(iter(sound))
    save_file({f"{name}x" if name == first else name: value for name, value in sound.items()}, path)
    assert f"unexpected {first}x" in refused(tmp_path, run)
    save_file(sound | {first: torch.zeros(3)}, path)
    assert f"{first} has shape (3,)" in refused(tmp_path, run)
    path.write_bytes(path.read_bytes()[:1000])
    assert f"{path}: cannot be read" in refused(tmp_path, run)
    path.unlink()
    assert "this run trained the projectors too" in refused(tmp_path, run)


def test_a_broken_run_is_named(run, tmp_path):
    config = run / results.ADAPTER / peft_format.FILES[0]
    config.write_text('{"peft_type": "LORA"}')
    assert "its configuration names no r" in refused(tmp_path, run)
    shutil.rmtree(run / results.ADAPTER)
    assert f"`lora-demo train nano-lora --out {run} --resume`" in refused(tmp_path, run)
    (run / results.RECIPE).write_text("{}")
    assert "recipe.json:" in refused(tmp_path, run)


@pytest.mark.parametrize("out", ["file/merged", "file/deep/merged", "n" * 300])
def test_a_place_that_cannot_be_written_is_named_before_anything_is_loaded(out, tmp_path, monkeypatch):
    _, folder = saved("lora", tmp_path / "adapter")
    (tmp_path / "file").touch()
    monkeypatch.setattr(weights, "load", lambda *_, **__: pytest.fail("loaded"))
    code, _, errors = merge(folder, "--base", "nano", "--out", tmp_path / out)
    assert code == 2
    assert "cannot be written" in errors


def test_a_folder_that_turns_read_only_is_named(tmp_path, monkeypatch):
    _, folder = saved("lora", tmp_path / "adapter")

    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lora_demo.training.merge_adapter.tempfile.mkdtemp", denied)
    assert "cannot be written" in refused(tmp_path, folder, "--base", "nano")


def test_a_merge_that_changes_the_function_is_not_written(tmp_path, monkeypatch):
    _, folder = saved("lora", tmp_path / "adapter")
    monkeypatch.setattr(LoRALinear, "folded", lambda self: {"weight": self.base.weight + 2 * self.delta()})
    code, _, errors = merge(folder, "--base", "nano", "--out", tmp_path / "merged")
    assert code == 1
    assert "nothing was written" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    _, folder = saved("lora", tmp_path / "adapter")
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    code, _, errors = merge(folder, "--base", "nano", "--out", tmp_path / "merged")
    assert code == 1
    assert "GiB are free; nothing was written" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_what_does_not_fit_is_refused_with_its_reason(tmp_path):
    _, folder = saved("lora", tmp_path / "adapter")
    prefixed = tmp_path / "prefix"
    model = shipped.load_nano()
    registry.apply(model.language_model, "prefix", count=2)
    peft_format.save(model.language_model, prefixed)
    narrow = tmp_path / "narrow"
    weights.save(MGM(replace(model.config, llm=replace(model.config.llm, num_hidden_layers=2))), narrow)
    whole = tmp_path / "whole"
    (whole / "model").mkdir(parents=True)
    results.save_recipe(recipe_files.load("nano-full"), whole)
    cases = {
        (tmp_path / "absent", "nano", "x"): "holds no adapter",
        (folder, tmp_path / "absent", "x"): "no such directory",
        (folder, narrow, "x"): "was it saved from another base?",
        (prefixed, "nano", "x"): "is not a linear update of a weight",
        (whole, "nano", "x"): "full trained the model itself",
        (folder, "nano", "adapter"): "exists already",
    }
    for (adapter, base, out), words in cases.items():
        code, _, errors = merge(adapter, "--base", base, "--out", tmp_path / out)
        assert (code, words in errors) == (2, True), errors
    code, _, errors = merge(folder, "--out", tmp_path / "x")
    assert code == 2
    assert "name the base with --base" in errors
    code, _, errors = merge(folder, "--base", "nano", "--out", tmp_path / "x", "--dtype", "fp8")
    assert code == 2
    assert not (tmp_path / "x").exists()
    assert fingerprint.of(shipped.load_nano()) == fingerprint.of(adapted("lora"))
