"""Said of PEFT in the answers about configuration: which layers, which way of loading, what is written to disk."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import torch
from peft import LoraConfig, PeftModel, VeraConfig
from safetensors.torch import load_file
from torch import nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning"),
]
WEIGHTS = "adapter_model.safetensors"


def adapted_layers(model: nn.Module) -> set[int]:
    """Numbers of the decoder layers that hold an adapter."""
    return {int(name.split(".layers.")[1].split(".")[0]) for name, _ in model.named_parameters() if "lora_A" in name}


def trainable(model: nn.Module) -> list[str]:
    return [name for name, value in model.named_parameters() if value.requires_grad]


@pytest.fixture
def saved(tiny, tmp_path: Path) -> Path:
    model = peft.get_peft_model(tiny("gemma"), LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    model.save_pretrained(str(tmp_path))
    return tmp_path


def test_layers_are_chosen_beside_a_list_of_targets_only(tiny):
    chosen = peft.get_peft_model(tiny("gemma"), LoraConfig(target_modules=["q_proj"], layers_to_transform=[1]))
    assert adapted_layers(chosen) == {1}
    assert adapted_layers(peft.get_peft_model(tiny("gemma"), LoraConfig(target_modules=["q_proj"]))) > {1}
    for pattern in ("all-linear", ".*q_proj"):
        with pytest.raises(ValueError, match="layers_to_transform"):
            LoraConfig(target_modules=pattern, layers_to_transform=[1])


def test_loaded_without_is_trainable_everything_is_frozen(tiny, tokens, saved):
    again = PeftModel.from_pretrained(tiny("gemma"), str(saved))
    assert trainable(again) == []
    with pytest.raises(RuntimeError, match="does not require grad"):
        again(input_ids=tokens, labels=tokens).loss.backward()
    carried_on = PeftModel.from_pretrained(tiny("gemma"), str(saved), is_trainable=True)
    assert trainable(carried_on)
    assert all("lora_" in name for name in trainable(carried_on))


def test_frozen_and_checkpointed_the_backward_pass_says_nothing(tiny, tokens, saved):
    """The hook that gives inputs a gradient hides that there is nothing to train."""
    base = tiny("gemma")
    base.gradient_checkpointing_enable()
    base.enable_input_require_grads()
    model = PeftModel.from_pretrained(base, str(saved)).train()
    model(input_ids=tokens, labels=tokens).loss.backward()
    assert all(value.grad is None for value in model.parameters())


@pytest.mark.filterwarnings("ignore:Specified to not (save|load) vera_A:UserWarning")
@pytest.mark.parametrize("whole", [True, False], ids=["save_projection", "seed-only"])
def test_vera_writes_its_shared_matrices_unless_told_otherwise(tiny, tokens, tmp_path, whole):
    assert VeraConfig().save_projection
    config = VeraConfig(r=4, target_modules=["q_proj"], save_projection=whole, task_type="CAUSAL_LM")
    model = peft.get_peft_model(tiny("gemma"), config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "vera_lambda" in name:
                value.uniform_(0.5, 1.5)
    model.save_pretrained(str(tmp_path))
    shared = [name for name in load_file(tmp_path / WEIGHTS) if "vera_A" in name or "vera_B" in name]
    assert bool(shared) == whole
    again = PeftModel.from_pretrained(tiny("gemma"), str(tmp_path))
    assert torch.allclose(again(input_ids=tokens).logits, model(input_ids=tokens).logits, atol=1e-6)
