"""Finding, wrapping, freezing: nothing outside the given module is hit, nothing is changed on an error."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import LoRALinear, apply_lora

SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def test_all_means_every_linear_but_the_head(tiny):
    model = tiny("gemma")
    assert sorted(surgery.find(model, "all")) == sorted(
        f"model.layers.{i}.{'self_attn' if name in SEVEN[:4] else 'mlp'}.{name}" for i in range(2) for name in SEVEN
    )


def test_endings_match_whole_names(tiny):
    model = tiny("gemma")
    assert len(surgery.find(model, ["q_proj"])) == 2
    assert surgery.find(model, ["layers.1.mlp.up_proj"]) == ["model.layers.1.mlp.up_proj"]
    with pytest.raises(MethodError, match=r"'proj'"):
        surgery.find(model, ["proj"])


def test_regular_expression_matches_the_whole_name(tiny):
    model = tiny("gemma")
    assert len(surgery.find(model, r".*\.layers\.1\.self_attn\.[qv]_proj")) == 2
    with pytest.raises(MethodError, match=r"near names"):
        surgery.find(model, r"layers\.1")


@pytest.mark.parametrize("targets", [["q_porj"], ["q_proj", "query"]])
def test_unknown_target_lists_near_names_and_changes_nothing(tiny, bits, targets):
    model, before = tiny("llama"), bits(tiny("llama"))
    with pytest.raises(MethodError, match=rf"{targets[-1]}.*near names here: .*q_proj"):
        apply_lora(model, targets, r=2, alpha=2)
    assert bits(model).keys() == before.keys()


def test_a_tower_beside_the_language_model_is_not_hit(tiny):
    whole = nn.ModuleDict({"tower": tiny("llama"), "language": tiny("gemma")})
    apply_lora(whole["language"], ["q_proj"], r=2, alpha=2)
    assert not surgery.adapters(whole["tower"])
    assert any(p.requires_grad for p in whole["tower"].parameters()), "freezing a part leaves the rest trainable"
    surgery.freeze(whole)
    trained = {name for name, p in whole.named_parameters() if p.requires_grad}
    assert trained == set(surgery.adapter_parameters(whole))
    assert all(name.startswith("language.") and "lora_" in name for name in trained)


def test_second_adapter_on_the_same_layer_is_refused(tiny):
    model = tiny("gemma")
    apply_lora(model, ["q_proj"], r=2, alpha=2)
    with pytest.raises(MethodError, match=r"carries an adapter already"):
        apply_lora(model, ["q_proj"], r=2, alpha=2)


def test_nothing_declared_is_an_error(tiny):
    with pytest.raises(MethodError, match=r"nothing to train"):
        surgery.freeze(tiny("gemma"))


def test_mode_and_device_follow_the_base(tiny):
    model = tiny("gemma").train()
    apply_lora(model, ["q_proj"], r=2, alpha=2)
    assert model.model.layers[0].self_attn.q_proj.dropout.training
    with torch.device("meta"):
        layer = LoRALinear(nn.Linear(4, 4), 2, 2)
    assert layer.lora_A.device.type == layer.lora_B.device.type == "meta"


def test_part_by_part_adapters_train_together(tiny):
    model = tiny("gemma")
    surgery.declare(model.model.norm, ["weight"])
    apply_lora(model, ["q_proj"], r=2, alpha=2)
    assert "model.norm.weight" in {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(surgery.collect(model)) == 2 * 2 + 1
