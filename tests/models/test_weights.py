"""Loading our own folders and released ones, whole or in parts; saving."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.methods.lora import apply_lora
from lora_demo.models import weights
from lora_demo.models.mgm import MGM
from lora_demo.models.tensor_files import CheckpointError

CLIP = "model.vision_tower.vision_tower.vision_model."
AUX = "model.vision_tower_aux."
TOWERS = (CLIP, AUX)

# peft 0.21 asks transformers 5.23 by a name that version has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def same(model: MGM, other: MGM) -> bool:
    ours, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


def without(tensors, *prefixes):
    return {key: value for key, value in tensors.items() if not key.startswith(prefixes)}


def only(tensors, *prefixes):
    return {key: value for key, value in tensors.items() if key.startswith(prefixes)}


@pytest.fixture
def tensors(wide_model, released_tensors):
    return released_tensors(wide_model)


@pytest.fixture
def clip_folder(tmp_path, tensors):
    """A CLIP directory in the old naming, with a text tower beside the vision one."""
    folder = tmp_path / "clip-vit-large-patch14-336"
    folder.mkdir()
    vision = {"vision_model." + key.removeprefix(CLIP): value for key, value in only(tensors, CLIP).items()}
    text = {"text_model.final_layer_norm.weight": torch.ones(4), "logit_scale": torch.ones(1)}
    old = {"vision_model.embeddings.position_ids": torch.arange(10)[None]}
    torch.save(vision | text | old, folder / "pytorch_model.bin")
    config = {"vision_config": {"num_attention_heads": 2, "hidden_act": "quick_gelu"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def aux_folder(tmp_path, tensors):
    """An OpenCLIP directory: trunk, heads and text keys in one pickle."""
    folder = tmp_path / "openclip-convnext-large-d-320-laion2B-s29B-b131K-ft-soup"
    folder.mkdir()
    trunk = {"visual.trunk." + key.removeprefix(AUX + "vision_"): value for key, value in only(tensors, AUX).items()}
    rest = {"visual.trunk.head.norm.weight": torch.ones(2), "visual.head.mlp.fc1.weight": torch.ones(2, 2)}
    torch.save(trunk | rest | {"text_projection": torch.ones(2)}, folder / "open_clip_pytorch_model.bin")
    return folder


def test_save_then_load_is_the_same_model(tmp_path, make_model, make_images):
    model = make_model(max_length=50, padding_side="left").eval()
    weights.save(model, tmp_path / "a")
    again, report = weights.load_reported(tmp_path / "a")
    assert same(model, again)
    assert replace(again.config, name="tiny") == model.config
    ids = torch.tensor([[2, 5, -200, 6]])
    assert torch.equal(again(ids, None, *make_images(1)).logits, model(ids, None, *make_images(1)).logits)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["geometry.json", "model.safetensors"]
    assert len(report.loaded) == len(list(model.parameters()))
    assert (report.missing, report.unexpected, report.tied) == ((), (), ())
    assert str(report).startswith(f"loaded {len(report.loaded)} weights (float32 -> float32), missing 0, unexpected 0")


def test_save_refuses_unmerged_adapters(tmp_path, make_model):
    model = make_model()
    apply_lora(model.language_model, ["q_proj"], r=2, alpha=2)
    with pytest.raises(ValueError, match="merge adapters first"):
        weights.save(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path, make_model, monkeypatch):
    model = make_model()
    weights.save(model, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def fail(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(weights, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        weights.save(model, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_parameter_takes_the_dtype_asked_for(reference_folder, dtype):
    model = weights.load(reference_folder, dtype=dtype)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    stored = load_file(reference_folder / "model.safetensors")
    assert torch.equal(model.mm_projector[0].weight, stored["model.mm_projector.0.weight"].to(dtype))


def test_buffers_and_ties_are_those_of_a_model_built_the_usual_way(reference_folder):
    """Materialising from meta would leave the buffers that no file stores undefined."""
    loaded = weights.load(reference_folder)
    usual = MGM(loaded.config)
    expected, found = dict(usual.named_buffers()), dict(loaded.named_buffers())
    assert len(expected) == 4
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)
        assert found[name].dtype == value.dtype
    assert loaded.state_dict().keys() == usual.state_dict().keys()
    assert loaded.language_model.lm_head.weight is loaded.language_model.model.embed_tokens.weight
    assert not loaded.training


@pytest.mark.parametrize("kind", ["mgm_gemma", "mini_gemini_gemma"])
def test_released_folder_with_towers_inside(tmp_path, kind, tensors, wide_model, write_released):
    folder = write_released(tmp_path / "MGM-2B", tensors, wide_model.config, shards=3, model_type=kind)
    model, report = weights.load_reported(folder)
    assert same(model, wide_model)
    assert replace(model.config, name="tiny") == wide_model.config
    assert model.config.llm.hidden_act == "gelu_pytorch_tanh"
    assert sum("of-00003" in place for place in report.searched) == 3


def test_old_extra_keys_are_ignored_and_unknown_ones_reported(tmp_path, tensors, wide_model, write_released):
    old = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
        CLIP + "embeddings.position_ids": torch.arange(10)[None],
    }
    strange = {"model.vision_fpn.weight": torch.ones(2), "model.layers.9.mlp.up_proj.weight": torch.ones(2)}
    folder = write_released(tmp_path / "m", tensors | old | strange, wide_model.config, shards=1)
    _, report = weights.load_reported(folder)
    file = "model-00001-of-00001.safetensors"
    assert set(report.unexpected) == {f"{file}: {key}" for key in strange}


def test_tied_head_in_the_file_is_compared(tmp_path, tensors, wide_model, write_released):
    head = tensors["model.embed_tokens.weight"].clone()
    folder = write_released(tmp_path / "a", tensors | {"lm_head.weight": head}, wide_model.config)
    model, report = weights.load_reported(folder)
    assert same(model, wide_model)
    assert report.tied == ("lm_head.weight",)
    head[3, 4] += 1
    folder = write_released(tmp_path / "b", tensors | {"lm_head.weight": head}, wide_model.config)
    with pytest.raises(CheckpointError, match=r"lm_head.weight differs from model.embed_tokens.weight"):
        weights.load(folder)


def test_torch_files_with_an_index(tmp_path, tensors, wide_model, write_released):
    folder = write_released(tmp_path / "m", tensors, wide_model.config)
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"]
    for name in set(index.values()):
        torch.save(load_file(folder / name), folder / name.replace(".safetensors", ".bin"))
        (folder / name).unlink()
    renamed = {key: name.replace(".safetensors", ".bin") for key, name in index.items()}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": renamed}), encoding="utf-8")
    (folder / "model.safetensors.index.json").unlink()
    assert same(weights.load(folder), wide_model)


def test_towers_from_named_base_directories(tmp_path, tensors, wide_model, write_released, clip_folder, aux_folder):
    """`model_zoo/OpenAI/<name>` as the configuration says it, found beside the folder by its last part."""
    folder = write_released(tmp_path / "MGM-2B", without(tensors, *TOWERS), wide_model.config)
    model, report = weights.load_reported(folder)
    assert same(model, wide_model)
    assert "pytorch_model.bin: text_model.final_layer_norm.weight" in report.unexpected
    assert "open_clip_pytorch_model.bin: visual.trunk.head.norm.weight" in report.unexpected


def test_towers_from_given_directories_and_flat_clip_names(
    tmp_path, tensors, wide_model, write_released, clip_folder, aux_folder
):
    flat = {key.removeprefix(CLIP): value for key, value in only(tensors, CLIP).items()}
    save_file(flat, clip_folder / "model.safetensors")
    (clip_folder / "pytorch_model.bin").unlink()
    elsewhere = [shutil.move(folder, tmp_path / "elsewhere" / folder.name) for folder in (clip_folder, aux_folder)]
    folder = write_released(tmp_path / "MGM-2B", without(tensors, *TOWERS), wide_model.config)
    assert same(weights.load(folder, clip=elsewhere[0], aux=elsewhere[1]), wide_model)
    with pytest.raises(CheckpointError, match=r"size of the (CLIP|ConvNeXt) tower is unknown(.|\n)*no such directory"):
        weights.load(folder)


def test_stage_1_folder_on_a_language_model(tmp_path, tensors, wide_model, write_released, clip_folder, aux_folder):
    """`mm_projector.bin` alone; the language model from its own directory, the towers from theirs."""
    projectors = only(tensors, "model.mm_projector", "model.vlm_uni")
    gemma = tmp_path / "gemma-2b-it"
    gemma.mkdir()
    save_file(without(tensors, *TOWERS, "model.mm_projector", "model.vlm_uni"), gemma / "model.safetensors")
    folder = write_released(tmp_path / "stage-1", {}, wide_model.config, shards=0)
    (folder / "model.safetensors.index.json").unlink()
    torch.save(projectors, folder / "mm_projector.bin")
    assert same(weights.load(folder, base=gemma), wide_model)
    with pytest.raises(CheckpointError, match=r"weights are missing:\n  model.embed_tokens.weight"):
        weights.load(folder)


def test_stage_1_file_that_also_holds_the_towers(tmp_path, tensors, wide_model, write_released):
    folder = write_released(tmp_path / "stage-1", without(tensors, *TOWERS, "model.mm_projector"), wide_model.config)
    torch.save(only(tensors, *TOWERS, "model.mm_projector"), folder / "mm_projector.bin")
    assert same(weights.load(folder), wide_model)


@pytest.fixture
def lora_folder(tmp_path, wide_model, tensors, write_released):
    """A LoRA run of MGM's code on a base folder: adapter, what was trained beside it, configuration."""
    base = write_released(tmp_path / "base", tensors, wide_model.config)
    model = weights.load(base)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=targets, task_type="CAUSAL_LM")
    model.language_model.name_or_path = str(base)
    wrapped = peft.get_peft_model(model.language_model, config)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in wrapped.named_parameters():
            if "lora_" in name:
                value.normal_(0, 0.3, generator=generator)
        model.mm_projector[0].bias.add_(1.0)
    folder = tmp_path / "run"
    wrapped.save_pretrained(folder)
    beside = {f"base_model.model.model.mm_projector.{name}": v for name, v in model.mm_projector.named_parameters()}
    torch.save({name: value.detach().clone() for name, value in beside.items()}, folder / "non_lora_trainables.bin")
    shutil.copy(base / "config.json", folder / "config.json")
    model.language_model = wrapped
    return folder, model.eval()


@pytest.mark.parametrize("merge", [True, False])
def test_lora_folder(lora_folder, merge, deviation):
    folder, expected = lora_folder
    model, report = weights.load_reported(folder, merge_adapter=merge)
    views = torch.randn(1, 3, 24, 24), torch.randn(1, 3, 48, 48)
    ids = torch.tensor([[2, 5, -200, 6]])
    wanted = expected(ids, None, *views).logits
    assert deviation(model(ids, None, *views).logits, wanted) < 1e-5
    assert deviation(weights.load(folder.parent / "base")(ids, None, *views).logits, wanted) > 1e-2
    assert torch.equal(model.mm_projector[0].bias, expected.mm_projector[0].bias)
    assert report.adapter == str(folder)
    assert isinstance(model.language_model, peft.PeftModel) is not merge
    assert any("lora_" in name for name, _ in model.named_parameters()) is not merge


def test_lora_folder_without_its_base(lora_folder, tmp_path):
    folder, _ = lora_folder
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / 'base'} (no such directory)")):
        weights.load(folder)
    weights.load(folder, base=tmp_path / "moved")


def test_adapter_of_our_own_on_one_of_our_folders(tmp_path, make_model, deviation):
    """The adapter's folder holds no configuration: the base's describes the model."""
    model = make_model()
    weights.save(model, tmp_path / "base")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(model.language_model, config)
    wrapped.save_pretrained(tmp_path / "adapter")
    ids = torch.tensor([[2, 5, 6]])
    loaded = weights.load(tmp_path / "adapter", base=tmp_path / "base")
    assert deviation(loaded(ids).logits, wrapped(input_ids=ids).logits) < 1e-5
