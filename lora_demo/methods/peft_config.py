"""PEFT's `adapter_config.json`: what it says in terms of our methods, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.dora import DoRALinear, apply_dora
from lora_demo.methods.errors import MethodError
from lora_demo.methods.ia3 import IA3Linear, apply_ia3
from lora_demo.methods.lora import LoRALinear, apply_lora
from lora_demo.methods.module import AdapterModule
from lora_demo.methods.pissa import apply_pissa
from lora_demo.methods.prefix import Prefix, apply_prefix

NOT_OURS = (
    *("alora_invocation_tokens", "alpha_pattern", "arrow_config", "corda_config", "eva_config", "exclude_modules"),
    *("fan_in_fan_out", "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "lora_bias"),
    *("lora_ga_config", "modules_to_save", "monteclora_config", "rank_pattern", "target_parameters"),
    *("trainable_token_indices", "use_bdlora", "use_qalora", "velora_config"),
)
"""Settings of PEFT's that change the function or the tensors: read only while they are off."""
STARTS = (True, False, "gaussian", "orthogonal", "eva", "pissa")
"""Starts that leave the base alone, and PiSSA's, which we can repeat."""


def reader(config: dict[str, Any], directory: Path) -> Callable[[nn.Module, bool], list[str]]:
    """How to apply what the configuration says; the flag tells the real model from the one that only shows shapes."""
    kind = config.get("peft_type")
    if on := [name for name in NOT_OURS if config.get(name)]:
        raise MethodError(f"{directory}: {on[0]}={config[on[0]]!r} is not supported; load this adapter with PEFT")
    if kind == "PREFIX_TUNING":
        if not isinstance(count := config.get("num_virtual_tokens"), int):
            raise MethodError(f"{directory}: num_virtual_tokens {count!r}: a prefix has a whole number of tokens")
        return lambda model, _: apply_prefix(model, count=count)
    targets = "all" if config.get("target_modules") == "all-linear" else config.get("target_modules")
    if kind == "IA3":
        return lambda model, _: apply_ia3(model, targets or [], feedforward=config.get("feedforward_modules") or [])
    start = config.get("init_lora_weights", True)
    if kind != "LORA" or config.get("bias", "none") != "none" or start not in STARTS:
        raise MethodError(f"{directory}: {kind} with bias={config.get('bias')!r}, start {start!r}: load it with PEFT")
    if missing := [name for name in ("r", "lora_alpha") if name not in config]:
        raise MethodError(f"{directory}: its configuration names no {missing[0]}; save the adapter anew with PEFT")
    settings = {"r": config["r"], "alpha": config["lora_alpha"], "dropout": config.get("lora_dropout", 0.0)}
    settings["rslora"] = config.get("use_rslora", False)
    method = apply_dora if config.get("use_dora") else apply_lora
    # PEFT repeats the decomposition of the base when it loads a PiSSA folder, and so must we
    return lambda model, real: (apply_pissa if real and start == "pissa" else method)(model, targets or [], **settings)


def prefix_config(prefix: Prefix) -> dict[str, Any]:
    width = prefix.kv_heads * prefix.head_dim
    return {
        "peft_type": "PREFIX_TUNING",
        "task_type": "CAUSAL_LM",
        "num_virtual_tokens": prefix.count,
        "num_layers": prefix.layers,
        "num_attention_heads": prefix.kv_heads,
        "num_transformer_submodules": 1,
        "token_dim": width,
        "encoder_hidden_size": width,
        "prefix_projection": False,
    }


def linear_config(model: nn.Module, found: dict[str, AdapterModule]) -> dict[str, Any]:
    first = next(iter(found.values()))
    config: dict[str, Any] = {"target_modules": _endings(model, list(found))}
    if isinstance(first, IA3Linear):
        inner = [name for name, module in found.items() if isinstance(module, IA3Linear) and module.feedforward]
        return {"peft_type": "IA3", **config, "feedforward_modules": _endings(model, inner)}
    if not isinstance(first, LoRALinear | DoRALinear):
        raise MethodError(f"PEFT has no format for {type(first).__name__}: use own_format.save")
    settings = {(m.r, m.alpha, m.rslora) for m in found.values() if isinstance(m, LoRALinear | DoRALinear)}
    if len(settings) != 1:
        raise MethodError("layers differ in r, alpha or rsLoRA: write them with own_format.save")
    residual = isinstance(first, LoRALinear) and first.residual_base
    return {
        "peft_type": "LORA",
        **config,
        "r": first.r,
        "lora_alpha": first.alpha,
        "lora_dropout": first.dropout.p,
        "use_rslora": first.rslora,
        "use_dora": isinstance(first, DoRALinear),
        "init_lora_weights": "pissa" if residual else True,
        "bias": "none",
    }


def _endings(model: nn.Module, names: list[str]) -> list[str]:
    """The last name components if they mean exactly these layers, else the full names."""
    endings = sorted({name.rsplit(".", 1)[-1] for name in names})
    return endings if names and sorted(surgery.find(model, endings)) == sorted(names) else sorted(names)
