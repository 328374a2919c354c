"""New tokens beside LoRA, and an adapter on another base: what PEFT trains, saves and lets through."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lora_demo.methods import peft_format
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import apply_lora

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

NEW = [60, 61, 62]


def step(model: torch.nn.Module, tokens: torch.Tensor) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model(input_ids=tokens, labels=tokens).loss.backward()
    optimizer.step()


def test_new_rows_train_and_the_others_keep_every_bit(tiny, tokens):
    model = tiny("gemma")
    before = model.get_input_embeddings().weight.detach().clone()
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=NEW))
    rows = [p for name, p in adapted.named_parameters() if p.requires_grad and "lora_" not in name]
    assert [p.shape for p in rows] == [(3, before.shape[1])]
    tokens = tokens.clone()
    tokens[:, :3] = torch.tensor(NEW)
    step(adapted, tokens)
    after = adapted.merge_and_unload().get_input_embeddings().weight
    changed = (after != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == NEW
    assert after.data_ptr() == model.get_output_embeddings().weight.data_ptr(), "tied rows serve the head too"


def test_rows_are_all_that_is_saved_of_the_embedding(tiny, tmp_path: Path):
    adapted = get_peft_model(tiny("gemma"), LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=NEW))
    adapted.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    beside = {name: tuple(value.shape) for name, value in saved.items() if "lora_" not in name}
    assert list(beside.values()) == [(3, 32)]


def test_a_saved_embedding_dwarfs_the_adapter(tiny, tmp_path: Path):
    adapted = get_peft_model(tiny("gemma"), LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(tmp_path / "plain")
    adapted.save_pretrained(tmp_path / "embedding", save_embedding_layers=True)
    plain, more = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("plain", "embedding"))
    extra = [value for name, value in more.items() if name not in plain]
    assert extra
    assert all(value.shape == (64, 32) for value in extra)


def test_training_the_head_alone_breaks_the_tie(tiny, tokens):
    """PEFT warns twice, and merging leaves two matrices where there was one."""
    settings = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"])
    with pytest.warns(UserWarning, match="ensure_weight_tying"):
        adapted = get_peft_model(tiny("gemma"), settings)
    step(adapted, tokens)
    with pytest.warns(UserWarning, match="no longer tied"):
        merged = adapted.merge_and_unload()
    assert merged.config.tie_word_embeddings is False
    assert not torch.equal(merged.get_input_embeddings().weight, merged.get_output_embeddings().weight)


def test_norms_have_no_matrix_to_factor(tiny):
    with pytest.raises(ValueError, match="not supported"):
        get_peft_model(tiny("gemma"), LoraConfig(r=2, target_modules=["input_layernorm"]))
    with pytest.raises(MethodError, match="input_layernorm"):
        apply_lora(tiny("gemma"), ["input_layernorm"], r=2, alpha=2)


def test_an_adapter_loads_onto_any_base_of_its_shape(tiny, tokens, tmp_path: Path):
    """Names and shapes are all that is compared: PEFT loads it onto another base without a word."""
    model = tiny("llama")
    apply_lora(model, ["q_proj"], r=2, alpha=2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    expected = model(tokens).logits
    peft_format.save(model, tmp_path / "adapter")
    torch.testing.assert_close(PeftModel.from_pretrained(tiny("llama"), tmp_path / "adapter")(tokens).logits, expected)
    upgraded = tiny("llama")
    for parameter in upgraded.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    loaded = PeftModel.from_pretrained(upgraded, tmp_path / "adapter")
    assert (loaded(tokens).logits - expected).abs().max() > 0.1


@pytest.mark.parametrize("change", ["another vocabulary", "fewer layers", "more layers", "another width"])
def test_only_another_width_is_refused(tiny, tmp_path: Path, change, recwarn):
    """Vocabulary and depth may differ: PEFT drops or leaves out what has no counterpart, silently."""
    get_peft_model(tiny("llama"), LoraConfig(r=2, target_modules="all-linear")).save_pretrained(
        str(tmp_path / "adapter")
    )
    config = copy.deepcopy(tiny("llama").config)
    field, value = {
        "another vocabulary": ("vocab_size", config.vocab_size + 16),
        "fewer layers": ("num_hidden_layers", config.num_hidden_layers - 1),
        "more layers": ("num_hidden_layers", config.num_hidden_layers + 1),
        "another width": ("intermediate_size", config.intermediate_size * 2),
    }[change]
    setattr(config, field, value)
    upgraded = AutoModelForCausalLM.from_config(config)
    recwarn.clear()
    if change == "another width":
        with pytest.raises(RuntimeError, match="size mismatch"):
            PeftModel.from_pretrained(upgraded, tmp_path / "adapter")
    else:
        loaded = PeftModel.from_pretrained(upgraded, tmp_path / "adapter")
        assert any("lora_B" in name for name, _ in loaded.named_parameters())
        assert not [one for one in recwarn if "adapter" in str(one.message)]
