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

NEW = [60, 61, 62]  # unused rows of the vocabulary of 64
ADDED = [64, 65, 66]  # rows that a resize adds


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
    assert list(stored_beside(tmp_path).values()) == [(3, 32)]


@pytest.fixture
def enlarged(tiny, tmp_path: Path):
    """enlarged(family) -> that model loaded from a folder, with three more tokens in its vocabulary."""

    def load(family: str) -> torch.nn.Module:
        if not (tmp_path / family).exists():
            tiny(family).save_pretrained(tmp_path / family)
        model = AutoModelForCausalLM.from_pretrained(tmp_path / family)
        model.resize_token_embeddings(model.config.vocab_size + len(ADDED))
        return model

    return load


def stored_beside(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of what an adapter file holds other than A and B."""
    saved = load_file(folder / "adapter_model.safetensors")
    return {name: tuple(value.shape) for name, value in saved.items() if "lora_" not in name}


def nudge(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)


def test_after_a_resize_the_whole_embedding_is_stored_unless_switched_off(enlarged, tokens, tmp_path: Path):
    """A tied embedding is even stored twice; the rows alone bring the same output back, on a base resized alike."""
    settings = LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=ADDED)
    adapted = get_peft_model(enlarged("gemma"), settings)
    nudge(adapted)
    tokens = torch.cat([tokens, torch.tensor([ADDED] * len(tokens))], dim=1)
    expected = adapted(tokens).logits
    with pytest.warns(UserWarning, match="has been resized"):
        adapted.save_pretrained(tmp_path / "default")
    assert sorted(stored_beside(tmp_path / "default").values()) == [(3, 32), (3, 32), (67, 32), (67, 32)]
    adapted.save_pretrained(tmp_path / "rows", save_embedding_layers=False)
    assert list(stored_beside(tmp_path / "rows").values()) == [(3, 32)]
    for folder in ("default", "rows"):
        loaded = PeftModel.from_pretrained(enlarged("gemma"), tmp_path / folder)
        torch.testing.assert_close(loaded(tokens).logits, expected)
    with pytest.raises(IndexError, match="out of bounds"):
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "gemma"), tmp_path / "rows")


def test_a_list_of_rows_leaves_an_untied_head_alone(enlarged):
    """The head's new rows are frozen then, and would not be stored with the embedding's."""
    settings = LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=ADDED)
    adapted = get_peft_model(enlarged("llama"), settings)
    rows = [name for name, p in adapted.named_parameters() if p.requires_grad and "lora_" not in name]
    assert len(rows) == 1
    assert "embed_tokens" in rows[0]


def test_rows_of_an_untied_head_are_named_beside_the_embeddings(enlarged, tokens, tmp_path: Path):
    rows = {"embed_tokens": ADDED, "lm_head": ADDED}
    adapted = get_peft_model(
        enlarged("llama"), LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=rows)
    )
    nudge(adapted)
    expected = adapted(tokens).logits
    adapted.save_pretrained(tmp_path / "rows", save_embedding_layers=False)
    assert list(stored_beside(tmp_path / "rows").values()) == [(3, 32), (3, 32)]
    loaded = PeftModel.from_pretrained(enlarged("llama"), tmp_path / "rows")
    torch.testing.assert_close(loaded(tokens).logits, expected)


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
    """Another vocabulary and fewer layers pass without a word; for more layers PEFT warns, and nothing else happens."""
    get_peft_model(tiny("llama"), LoraConfig(r=2, target_modules=["q_proj", "up_proj"])).save_pretrained(
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
        return
    loaded = PeftModel.from_pretrained(upgraded, tmp_path / "adapter")
    factors = [name for name, _ in loaded.named_parameters() if "lora_B" in name]
    assert len(factors) == 2 * config.num_hidden_layers, "every layer of the new base carries adapters"
    warned = [str(one.message) for one in recwarn if "adapter" in str(one.message)]
    assert len(warned) == (change == "more layers")
    assert all("missing adapter keys" in message and "layers.2." in message for message in warned)


def test_few_modules_are_stored_by_full_name_and_new_layers_stay_bare(tiny, tmp_path: Path, recwarn):
    """PEFT shortens the targets of `all-linear` to suffixes from 20 modules up; below, a new layer matches nothing."""
    small = get_peft_model(tiny("llama"), LoraConfig(r=2, target_modules="all-linear"))
    small.save_pretrained(str(tmp_path / "adapter"))
    config = copy.deepcopy(tiny("llama").config)
    config.num_hidden_layers += 1
    recwarn.clear()
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_config(config), tmp_path / "adapter")
    assert not [name for name, _ in loaded.named_parameters() if "lora_" in name and "layers.2." in name]
    assert not [one for one in recwarn if "adapter" in str(one.message)]
