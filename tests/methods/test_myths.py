"""Statements in circulation that no other test refutes; `qa/myths.yaml` names these tests."""

from __future__ import annotations

import math

import peft
import pytest
import torch
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.lora import LoRALinear, apply_lora
from lora_demo.methods.merging import merge
from lora_demo.methods.nf4 import NF4Linear
from lora_demo.methods.qlora import apply_qlora

TARGETS = ["q_proj", "v_proj"]


def test_wrapping_layers_freezes_nothing_else(tiny):
    """Put LoRA into two linears of each layer by hand and the embeddings, norms and other linears still train."""
    model = tiny("gemma")
    for layer in model.model.layers:
        for name in TARGETS:
            setattr(layer.self_attn, name, LoRALinear(getattr(layer.self_attn, name), 2, 2))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {"model.embed_tokens.weight", "model.norm.weight", "model.layers.0.mlp.up_proj.weight"} <= trained

    frozen = tiny("gemma")
    apply_lora(frozen, TARGETS, r=2, alpha=2)
    trained = {name for name, parameter in frozen.named_parameters() if parameter.requires_grad}
    assert trained == set(surgery.adapter_parameters(frozen)) != set()


def _peft_start(init: bool | str) -> torch.Tensor:
    torch.manual_seed(0)
    config = peft.LoraConfig(r=8, lora_alpha=8, init_lora_weights=init)
    return PeftLinear(nn.Linear(1024, 64), "default", config, r=8, lora_alpha=8).lora_A["default"].weight.detach()


def test_peft_starts_a_uniform_not_gaussian():
    """PEFT's default A fills ±1/√d_in evenly and never leaves it; "gaussian" is an option and does leave it."""
    bound = 1 / math.sqrt(1024)
    default, gaussian = _peft_start(True), _peft_start("gaussian")
    assert 0.99 * bound < default.abs().max() <= bound
    # A uniform value lies in the inner half of its range half the time; a normal of that spread would 61 % of the time.
    assert (default.abs() < bound / 2).double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert gaussian.abs().max() > bound


def test_the_update_is_low_rank_and_the_weight_is_not():
    """After merging, the difference has rank r; the weight, before and after, has full rank."""
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(48, 40, dtype=torch.float64), 3, 6)
    layer.lora_B.data.normal_()
    before = layer.base.weight.detach().clone()
    merge(nn.Sequential(layer))
    after = layer.base.weight.detach()
    ranks = [int(torch.linalg.matrix_rank(matrix)) for matrix in (before, after, after - before)]
    assert ranks == [40, 40, 3]


def test_training_a_quantised_base_never_moves_its_codes(tiny, tokens, bits):
    """QLoRA learns no quantiser: after training steps every packed code and every scale has the bits it had."""
    model = tiny("gemma")
    apply_qlora(model, TARGETS, r=2, alpha=2, quantised=[*TARGETS, "up_proj"])
    packed = {name for name, module in model.named_modules() if isinstance(module, NF4Linear)}
    before = {name: value for name, value in bits(model).items() if name.rpartition(".")[0] in packed}
    adapters = list(surgery.adapter_parameters(model).values())
    optimizer = torch.optim.AdamW(adapters, lr=1e-2)
    start = [parameter.detach().clone() for parameter in adapters]
    for _ in range(3):
        optimizer.zero_grad()
        model(tokens, labels=tokens).loss.backward()
        optimizer.step()
    after = model.state_dict()
    assert len(packed) == 6
    assert before
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert any(not torch.equal(old, new) for old, new in zip(start, adapters, strict=True))
