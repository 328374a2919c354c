"""The configuration lines that the answers show: each builds on PEFT, trains a step and is what it says."""

from __future__ import annotations

import math
from collections.abc import Callable

import peft
import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig
from peft.optimizers import create_loraplus_optimizer
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Position ids are not supported:UserWarning"),
]

CONFIGS: dict[str, Callable[[], peft.PeftConfig]] = {
    "lora": lambda: LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"),
    "dora": lambda: LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_dora=True),
    "rslora": lambda: LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_rslora=True),
    "pissa": lambda: LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights="pissa"),
    "olora": lambda: LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights="olora"),
    "adalora": lambda: AdaLoraConfig(init_r=6, target_r=2, tinit=2, tfinal=2, total_step=10, task_type="CAUSAL_LM"),
    "ia3": lambda: IA3Config(task_type="CAUSAL_LM"),
    "prompt": lambda: PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "p-tuning": lambda: PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "prefix": lambda: PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
}


@pytest.fixture(params=CONFIGS)
def adapted(request, tiny):
    torch.manual_seed(0)
    return peft.get_peft_model(tiny("gemma"), CONFIGS[request.param]())


def test_each_line_builds_and_trains(adapted, tokens):
    adapted(input_ids=tokens, labels=tokens).loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in adapted.parameters() if p.requires_grad)


def scale(model: torch.nn.Module) -> float:
    return next(layer for layer in model.modules() if isinstance(layer, LoraLayer)).scaling["default"]


def test_the_rslora_switch_only_changes_the_scale(tiny):
    models = {name: peft.get_peft_model(tiny("gemma"), CONFIGS[name]()) for name in ("lora", "rslora")}
    assert scale(models["lora"]) == 8 / 4
    assert scale(models["rslora"]) == 8 / math.sqrt(4)
    counts = {sum(p.numel() for p in model.parameters() if p.requires_grad) for model in models.values()}
    assert len(counts) == 1


def test_defaults_of_lora_config():
    config = LoraConfig()
    assert (config.r, config.lora_alpha, config.lora_dropout, config.bias) == (8, 8, 0.0, "none")
    assert not config.use_rslora
    assert not config.use_dora
    assert config.target_modules is None


def test_lora_plus_gives_b_the_larger_rate(tiny):
    model = peft.get_peft_model(tiny("gemma"), CONFIGS["lora"]())
    optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=1e-4, loraplus_lr_ratio=16)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    named = dict(model.named_parameters())
    for factor, rate in (("lora_A", 1e-4), ("lora_B", 16e-4)):
        used = [rates[id(p)] for name, p in named.items() if factor in name]
        assert used
        assert used == pytest.approx([rate] * len(used))


def test_preparing_for_k_bits_casts_what_is_not_quantised_to_fp32(tiny):
    """The embedding and the head are left unquantised, and grow to four bytes a parameter."""
    model = tiny("llama").bfloat16()
    model.is_loaded_in_4bit = True
    prepared = peft.prepare_model_for_kbit_training(model)
    assert prepared.get_input_embeddings().weight.dtype == torch.float32
    assert prepared.get_output_embeddings().weight.dtype == torch.float32
    assert not any(p.requires_grad for p in prepared.parameters())
    assert prepared.is_activation_checkpointing


def test_safe_merge_refuses_a_broken_adapter(tiny):
    model = peft.get_peft_model(tiny("gemma"), CONFIGS["lora"]())
    next(p for name, p in model.named_parameters() if "lora_B" in name).data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaNs detected"):
        model.merge_and_unload(safe_merge=True)


def hits(model: torch.nn.Module) -> set[str]:
    """The names of the layers that carry an adapter, from the base model's root."""
    return {name.removeprefix("base_model.model.") for name, one in model.named_modules() if isinstance(one, LoraLayer)}


def test_left_out_targets_are_a_familys_own(tiny):
    preset = hits(peft.get_peft_model(tiny("llama"), LoraConfig(task_type="CAUSAL_LM")))
    assert {name.split(".")[-1] for name in preset} == {"q_proj", "v_proj"}
    assert preset < hits(peft.get_peft_model(tiny("llama"), CONFIGS["lora"]()))


def test_a_list_matches_suffixes_and_a_string_whole_names(tiny):
    by_list = hits(peft.get_peft_model(tiny("gemma"), LoraConfig(target_modules=["q_proj"])))
    by_pattern = hits(peft.get_peft_model(tiny("gemma"), LoraConfig(target_modules=r".*\.layers\.0\..*q_proj")))
    assert len(by_list) == 2
    assert by_pattern == {name for name in by_list if ".layers.0." in name}
    with pytest.raises(ValueError, match="not found"):
        peft.get_peft_model(tiny("gemma"), LoraConfig(target_modules="q_proj"))


def test_modules_to_save_train_whole_and_are_stored(tiny, tmp_path):
    settings = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["down_proj"])
    model = peft.get_peft_model(tiny("gemma"), settings)
    whole = [p for name, p in model.named_parameters() if "down_proj.modules_to_save" in name]
    assert whole
    assert all(p.requires_grad and p.shape == (32, 48) for p in whole)
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "adapter_model.safetensors")
    assert sum("down_proj" in name for name in stored) == len(whole)


def switched_off(model: peft.PeftModel, tokens: torch.Tensor) -> torch.Tensor:
    with model.disable_adapter():
        return model(tokens).logits


def test_trained_biases_stay_when_the_adapter_is_off(tiny, tokens):
    base = tiny("bert")
    expected = base(tokens).logits
    model = peft.get_peft_model(base, LoraConfig(r=2, target_modules=["query"], bias="all"))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name.endswith("bias"):
            parameter.data += 0.5
    with pytest.warns(UserWarning, match="bias"):
        after = switched_off(model, tokens)
    assert (after - expected).abs().max() > 0.1
