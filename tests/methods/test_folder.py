"""Adapter folders: written whole or not at all, foreign files left alone, broken ones named."""

from __future__ import annotations

import pytest
import torch

from lora_demo.methods import folder, own_format, registry
from lora_demo.methods.errors import MethodError

FILES = ("a.json", "a.safetensors")


def test_replaces_an_earlier_adapter(tmp_path):
    goal = tmp_path / "deep" / "adapter"
    folder.write(goal, FILES, {"n": 1}, {"x": torch.ones(2)})
    folder.write(goal, FILES, {"n": 2}, {"x": torch.zeros(3)})
    config, tensors = folder.read(goal, FILES)
    assert config == {"n": 2}
    assert torch.equal(tensors["x"], torch.zeros(3))
    assert [path.name for path in goal.parent.iterdir()] == ["adapter"]


def test_a_failed_write_keeps_the_old_one(tmp_path):
    goal = folder.write(tmp_path / "adapter", FILES, {"n": 1}, {"x": torch.ones(2)})
    with pytest.raises(TypeError, match=r"JSON"):
        folder.write(goal, FILES, {"n": object()}, {"x": torch.zeros(2)})
    assert folder.read(goal, FILES)[0] == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_foreign_files_are_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(MethodError, match=r"thesis\.txt.*folder of its own"):
        folder.write(tmp_path, FILES, {}, {"x": torch.ones(1)})
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("broken", ["absent", "json", "list", "tensors"])
def test_unreadable_folders_are_named(tmp_path, broken):
    if broken != "absent":
        folder.write(tmp_path / "adapter", FILES, {}, {"x": torch.ones(1)})
        content = {"json": "{", "list": "[]", "tensors": "x"}[broken]
        (tmp_path / "adapter" / FILES[broken == "tensors"]).write_text(content)
    with pytest.raises(MethodError, match=r"adapter"):
        folder.read(tmp_path / "adapter", FILES)


def test_own_format_refuses_another_base(tiny, perturb, bits, tmp_path):
    model = tiny("gemma")
    registry.apply(model, "adapter", bottleneck=4)
    own_format.save(model, tmp_path / "adapter", "adapter", {"bottleneck": 4})
    with pytest.raises(MethodError, match=r"o_proj"):
        own_format.load(tiny("bert"), tmp_path / "adapter")
    other = tiny("llama")
    own_format.load(other, tmp_path / "adapter")
    config, tensors = folder.read(tmp_path / "adapter", own_format.FILES)
    tensors.popitem()
    folder.write(tmp_path / "adapter", own_format.FILES, config, tensors)
    fresh, before = tiny("gemma"), bits(tiny("gemma"))
    with pytest.raises(MethodError, match=r"missing"):
        own_format.load(fresh, tmp_path / "adapter")
    assert bits(fresh).keys() == before.keys()
    folder.write(tmp_path / "adapter", own_format.FILES, config | {"format": 9}, tensors)
    with pytest.raises(MethodError, match=r"format"):
        own_format.load(fresh, tmp_path / "adapter")


def test_the_files_dtype_comes_back(tiny, tmp_path):
    model = tiny("gemma").bfloat16()
    registry.apply(model, "lora", targets="all", r=2, alpha=2, dtype=torch.float32)
    own_format.save(model, tmp_path / "adapter", "lora", {"targets": "all", "r": 2, "alpha": 2, "dtype": torch.float32})
    back = tiny("gemma").bfloat16()
    own_format.load(back, tmp_path / "adapter")
    layer = back.model.layers[0].self_attn.q_proj
    assert layer.lora_A.dtype == torch.float32
    assert layer.base.weight.dtype == torch.bfloat16
