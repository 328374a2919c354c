"""Damaged, hostile and contradictory files: each a clear error, none a wrong model."""

from __future__ import annotations

import json
import pickle
import re
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.models import weights
from lora_demo.models.tensor_files import CheckpointError, open_tensors

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path, make_model) -> Path:
    """A healthy folder of our own, to be damaged."""
    weights.save(make_model(), tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def released(tmp_path, wide_model, released_tensors, write_released) -> Path:
    return write_released(tmp_path / "r", released_tensors(wide_model), wide_model.config)


def change(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace (or with None remove) tensors, keys given with `__` for dots."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for key, value in changes.items():
        tensors.pop(key.replace("__", "."))
        if value is not None:
            tensors[key.replace("__", ".")] = value
    save_file(tensors, path)


def refusal(folder: Path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        weights.load(folder, **options)
    return str(caught.value)


def test_truncated_shard(released):
    shard = sorted(released.glob("*.safetensors"))[1]
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-100])
    message = refusal(released)
    assert shard.name in message
    assert "truncated" in message
    assert f"the file has {size - 100}" in message


@pytest.mark.parametrize("length", [0, 4, 40])
def test_cut_off_inside_the_header(folder, length):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    assert "not a safetensors file, or cut off inside its header" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html>please log in</html>",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b'"\xff\xfe"',
        struct.pack("<Q", 10) + b'{"a": {}} ',
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}  ' + b"\0",
        struct.pack("<Q", 56) + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}} ' + b"\0" * 4,
        struct.pack("<Q", 56) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}  ' + b"\0" * 4,
        struct.pack("<Q", 58) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.0,4]}}  ' + b"\0" * 4,
        struct.pack("<Q", 58) + b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}} ' + b"\0" * 4,
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_not_a_safetensors_file(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert "not a safetensors file" in refusal(folder)


def test_header_that_contradicts_itself(folder):
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}'
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    assert "a has 4 bytes, its shape (2,) needs others" in refusal(folder)


def test_wrong_shape(folder):
    change(folder, model__norm__weight=torch.zeros(31))
    assert "model.norm.weight has shape (31,), the model needs (32,)" in refusal(folder)


def test_integers_instead_of_floats(folder):
    change(folder, model__norm__weight=torch.zeros(32, dtype=torch.int64))
    assert "model.norm.weight is stored as torch.int64" in refusal(folder)


def test_missing_weights_are_listed_with_where_they_were_looked_for(folder):
    change(folder, model__norm__weight=None, model__mm_projector__0__bias=None)
    message = refusal(folder)
    assert message.startswith("2 weights are missing:")
    assert "model.norm.weight" in message
    assert "model.mm_projector.0.bias" in message
    assert str(folder / "model.safetensors") in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_finite(folder, value):
    broken = torch.zeros(32)
    broken[7] = value
    change(folder, model__norm__weight=broken)
    assert "model.norm.weight holds NaN or infinity; take an earlier state" in refusal(folder)
    model = weights.load(folder, allow_nonfinite=True)
    assert int((~model.language_model.model.norm.weight.isfinite()).sum()) == 1


def test_too_large_for_the_type_asked_for(folder):
    change(folder, model__norm__weight=torch.full((32,), 1e5))
    assert "model.norm.weight holds values too large" in refusal(folder, dtype=torch.float16)
    weights.load(folder, dtype=torch.bfloat16)


class Bomb:
    """Unpickling this creates the file it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def plain_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("write", [torch.save, plain_pickle])
def test_pickle_with_code_in_it_is_refused_and_not_run(folder, tmp_path, write):
    trace = tmp_path / "ran"
    write({"a": torch.zeros(1), "b": Bomb(trace)}, folder / "mm_projector.bin")
    message = refusal(folder)
    assert "mm_projector.bin: refused: it holds more than tensors" in message
    assert not trace.exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"epoch": 3}, {"state_dict": {"a": torch.zeros(1)}}])
def test_pickle_that_is_no_dictionary_of_tensors(folder, content):
    torch.save(content, folder / "mm_projector.bin")
    assert "must hold one dictionary of tensors" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"PK\x03\x04 broken zip"])
def test_damaged_torch_file(folder, content):
    (folder / "mm_projector.bin").write_bytes(content)
    message = refusal(folder)
    assert "mm_projector.bin" in message
    assert "damaged" in message or "refused" in message


def test_index_naming_a_missing_shard(released):
    gone = sorted(released.glob("*.safetensors"))[0]
    gone.unlink()
    assert f"{INDEX}: names the shard {gone.name}, which is not there" in refusal(released)


def test_names_longer_than_any_file_name(released):
    (released / INDEX).write_text(json.dumps({"weight_map": {"a": "x" * 5000}}), encoding="utf-8")
    assert "which is not there; fetch it" in refusal(released)
    path = released / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mm_vision_tower": "x" * 5000}), encoding="utf-8")
    (released / INDEX).write_text(json.dumps({"weight_map": {}}), encoding="utf-8")
    assert f"{'x' * 5000} (no such directory)" in refusal(released)


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", 7])
def test_index_pointing_outside_its_folder(released, shard):
    (released / INDEX).write_text(json.dumps({"weight_map": {"a": shard}}), encoding="utf-8")
    assert "not a plain file name" in refusal(released)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": 3}'])
def test_index_that_is_none(released, content):
    (released / INDEX).write_text(content, encoding="utf-8")
    assert f"{INDEX}: not an index" in refusal(released)


def test_shards_without_their_index(released):
    (released / INDEX).unlink()
    assert f"has shards such as model-00001-of-00002.safetensors but no {INDEX}" in refusal(released)


def test_unknown_geometry_field(folder):
    path = folder / "geometry.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["llm"]["hidden_sise"] = 32
    path.write_text(json.dumps(content), encoding="utf-8")
    message = refusal(folder)
    assert str(path) in message
    assert "llm has the unknown field 'hidden_sise'" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[1]", "must hold an object"),
        ('{"llm": {}}', "the parts must be"),
        ('{"llm": {}, "clip": {}, "aux": {}, "splice": {}}', "llm: .*missing"),
    ],
)
def test_bad_geometry_file(folder, content, message):
    (folder / "geometry.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        weights.load(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model_type", "llava", "model_type 'llava' is not one of mgm_gemma, mini_gemini_gemma"),
        ("mm_use_im_start_end", True, "mm_use_im_start_end is True; this model only does False"),
        ("image_grid", 2, "image_grid is 2"),
        ("mm_projector_type", "linear", "mm_projector_type is 'linear'"),
        ("num_key_value_heads", 3, "num_attention_heads must be a multiple"),
        ("mm_vision_select_feature", "cls_patch", "select_feature"),
        ("rope_theta", "x", "rope_theta must be a number"),
        ("rope_parameters", [1], "rope_parameters must be an object"),
        ("rms_norm_eps", float("nan"), "rms_norm_eps must be a finite number above 0"),
    ],
)
def test_released_configuration_that_we_cannot_build(released, field, value, message):
    path = released / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {field: value}), encoding="utf-8")
    assert message in refusal(released)


def test_folders_that_are_none(tmp_path):
    assert "no such directory" in refusal(tmp_path / "nowhere")
    assert "has neither geometry.json nor config.json" in refusal(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        open_tensors(tmp_path / "a.safetensors")


def test_fewer_layers_than_the_files_hold(released):
    config = json.loads((released / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    (released / "config.json").write_text(json.dumps(config))
    assert re.search(
        r"holds a layer \d+, model\.layers\.\d+\.\*.*num_hidden_layers \d+; take the configuration", refusal(released)
    )
