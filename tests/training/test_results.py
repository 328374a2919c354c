"""A run's folder whose files are damaged: named and refused, never half loaded."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.models import fingerprint
from lora_demo.models.tensor_files import CheckpointError
from lora_demo.training import results
from lora_demo.training.recipes import recipe_files
from lora_demo.training.run import run

TINY = ["steps=1", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1"]
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short LoRA run that trains the projectors too."""
    folder = tmp_path_factory.mktemp("results") / "run"
    run(recipe_files.load("nano-lora", [*TINY, "method.projectors=true"]), folder)
    return folder


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged, whose projectors are the file's."""
    copied = shutil.copytree(healthy, tmp_path / "run")
    found = load_file(copied / results.PROJECTORS)
    assert torch.equal(results.load(copied).mm_projector[0].bias, found["mm_projector.0.bias"])
    return copied


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        results.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_projectors_that_are_no_numbers(folder, value):
    found = load_file(folder / results.PROJECTORS)
    save_file({name: torch.full_like(tensor, value) for name, tensor in found.items()}, folder / results.PROJECTORS)
    assert re.search(rf"{results.PROJECTORS}: \S+ holds NaN or infinity", refusal(folder))


def test_projectors_that_are_not_all_there(folder):
    found = load_file(folder / results.PROJECTORS)
    del found["mm_projector.0.bias"]
    save_file(found, folder / results.PROJECTORS)
    assert "lacks mm_projector.0.bias, which this run trained" in refusal(folder)
    (folder / results.PROJECTORS).unlink()
    assert f"{results.PROJECTORS}: damaged, or from another model" in refusal(folder)


def test_projectors_that_are_damaged_or_of_another_model(folder):
    (folder / results.PROJECTORS).write_bytes(b"xx")
    assert f"{results.PROJECTORS}: damaged, or from another model" in refusal(folder)
    save_file({"mm_projector.0.bias": torch.zeros(1)}, folder / results.PROJECTORS)
    assert f"{results.PROJECTORS}: damaged, or from another model" in refusal(folder)
    save_file({"x": torch.zeros(1)}, folder / results.PROJECTORS)
    assert "this model has no weight x" in refusal(folder)


@pytest.mark.parametrize("change", [DEEP, {"r": "two"}], ids=["deep", "type"])
def test_adapter_settings_of_the_wrong_type(folder, change):
    path = folder / results.ADAPTER / "adapter_config.json"
    settings = change if change is DEEP else json.dumps(json.loads(path.read_text(encoding="utf-8")) | change)
    path.write_text(settings, encoding="utf-8")
    assert f"{folder / results.ADAPTER}: " in refusal(folder)


@pytest.mark.parametrize("content", ["", "[]", DEEP], ids=["empty", "list", "deep"])
def test_a_damaged_fingerprint(folder, content):
    (folder / fingerprint.FILE).write_text(content, encoding="utf-8")
    assert f"{fingerprint.FILE}: cannot be read" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "Invalid JSON"), ("{}", "about: Field required"), ("[]", "should be an object"), (DEEP, "Invalid JSON")],
    ids=["empty", "fields", "list", "deep"],
)
def test_a_damaged_recipe_is_named_in_one_line(folder, content, words):
    (folder / results.RECIPE).write_text(content, encoding="utf-8")
    said = refusal(folder)
    assert f"{results.RECIPE}: cannot be read as the recipe of a run: " in said
    assert words in said
    assert "pydantic" not in said
    assert "\n" not in said
