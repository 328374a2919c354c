"""Adapter folders that are damaged or belong to another model: refused by name, never answered with the bare base."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.models import weights
from lora_demo.models.tensor_files import CheckpointError

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture
def folder(tmp_path, make_model) -> Path:
    """A healthy LoRA folder with its base beside it, to be damaged."""
    model = make_model()
    weights.save(model, tmp_path / "base")
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(model.language_model, config).save_pretrained(tmp_path / "adapter")
    settings(tmp_path / "adapter", base_model_name_or_path=str(tmp_path / "base"))
    weights.load(tmp_path / "adapter")
    return tmp_path / "adapter"


def refusal(folder: Path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        weights.load(folder, **options)
    return str(caught.value)


def settings(folder: Path, **changes: object) -> None:
    content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps(content | changes), encoding="utf-8")


def first(folder: Path) -> tuple[dict[str, torch.Tensor], str]:
    tensors = load_file(folder / WEIGHTS)
    return tensors, min(tensors)


def test_weights_that_fit_nothing(folder):
    save_file({"x": torch.zeros(3)}, folder / WEIGHTS)
    message = refusal(folder)
    assert f"{folder / WEIGHTS}: lacks base_model.model.model.layers.0." in message
    assert "name the base that belongs to it" in message


def test_one_missing_weight(folder):
    tensors, key = first(folder)
    save_file({name: value for name, value in tensors.items() if name != key}, folder / WEIGHTS)
    assert key.removesuffix(".weight") in refusal(folder)


@pytest.mark.parametrize("merge", [True, False])
def test_a_weight_for_a_layer_that_the_model_does_not_have(folder, merge):
    tensors, key = first(folder)
    save_file(tensors | {key.replace(".layers.0.", ".layers.7."): tensors[key].clone()}, folder / WEIGHTS)
    assert "the model has no place for base_model.model.model.layers.7." in refusal(folder, merge_adapter=merge)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite(folder, value):
    tensors, key = first(folder)
    tensors[key][0, 0] = value
    save_file(tensors, folder / WEIGHTS)
    assert f"{folder / WEIGHTS}: {key} holds NaN or infinity" in refusal(folder)
    weights.load(folder, allow_nonfinite=True)


@pytest.mark.parametrize("content", [b"", b"xxxx", b"<!DOCTYPE html>"])
def test_damaged_weights(folder, content):
    (folder / WEIGHTS).write_bytes(content)
    assert f"{WEIGHTS}: not a safetensors file" in refusal(folder)


def test_a_pickle_with_code_in_it(folder):
    (folder / WEIGHTS).unlink()
    (folder / "adapter_model.bin").write_bytes(b"cposix\nsystem\n(S'false'\ntR.")
    assert "adapter_model.bin: refused: it holds more than tensors" in refusal(folder)


def test_no_weights_at_all(folder):
    (folder / WEIGHTS).unlink()
    assert f"has {CONFIG} but neither of {WEIGHTS}" in refusal(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"target_modules": ["no_such_layer"]},
        {"target_modules": "("},
        {"target_modules": [1]},
        {"peft_type": "NOPE"},
        {"r": "two"},
        {"megatron_config": {"a": 1}},
    ],
    ids=str,
)
def test_settings_that_fit_no_model(folder, changes):
    settings(folder, **changes)
    assert f"{folder}: the adapter does not fit the language model: " in refusal(folder)


def test_a_base_with_a_name_longer_than_any_file_name(folder):
    settings(folder, base_model_name_or_path="x" * 5000)
    assert "has neither geometry.json nor config.json" in refusal(folder)
