"""All methods by name, with what holds for each; the invariant tests and the command line go through this table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from lora_demo.methods.adalora import apply_adalora
from lora_demo.methods.adapter import apply_adapter
from lora_demo.methods.bitfit import apply_bitfit
from lora_demo.methods.dora import apply_dora
from lora_demo.methods.errors import MethodError
from lora_demo.methods.full import apply_full
from lora_demo.methods.ia3 import apply_ia3
from lora_demo.methods.layernorm import apply_layernorm
from lora_demo.methods.lora import apply_lora
from lora_demo.methods.pissa import apply_pissa
from lora_demo.methods.prefix import apply_prefix
from lora_demo.methods.prompt import apply_prompt
from lora_demo.methods.qlora import apply_qlora


@dataclass(frozen=True)
class Method:
    """`identity_at_init`: the adapted model starts as the base. `wraps`: the base stays whole behind a wrapper.
    `mergeable`: folds into the base's weights."""

    apply: Callable[..., list[str]]
    identity_at_init: bool
    wraps: bool
    mergeable: bool


METHODS: dict[str, Method] = {
    "full": Method(apply_full, identity_at_init=True, wraps=False, mergeable=False),
    "lora": Method(apply_lora, identity_at_init=True, wraps=True, mergeable=True),
    "dora": Method(apply_dora, identity_at_init=True, wraps=True, mergeable=True),
    "pissa": Method(apply_pissa, identity_at_init=True, wraps=False, mergeable=True),
    "adalora": Method(apply_adalora, identity_at_init=True, wraps=True, mergeable=True),
    "qlora": Method(apply_qlora, identity_at_init=False, wraps=True, mergeable=False),
    "ia3": Method(apply_ia3, identity_at_init=True, wraps=True, mergeable=True),
    "adapter": Method(apply_adapter, identity_at_init=True, wraps=True, mergeable=False),
    "prefix": Method(apply_prefix, identity_at_init=False, wraps=True, mergeable=False),
    "prompt": Method(apply_prompt, identity_at_init=False, wraps=True, mergeable=False),
    "bitfit": Method(apply_bitfit, identity_at_init=True, wraps=False, mergeable=False),
    "layernorm": Method(apply_layernorm, identity_at_init=True, wraps=False, mergeable=False),
}


def apply(model: nn.Module, name: str, /, **settings: Any) -> list[str]:
    """Apply the method of that name; raises MethodError for an unknown name or setting, with the ones there are."""
    if name not in METHODS:
        raise MethodError(f"no method {name!r}; there are: {', '.join(METHODS)}")
    parameters = list(inspect.signature(METHODS[name].apply).parameters.values())[1:]
    known = [parameter.name for parameter in parameters]
    if unknown := [setting for setting in settings if setting not in known]:
        raise MethodError(f"{name} has no setting {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in settings]
    if missing:
        raise MethodError(f"{name} needs the setting {missing[0]!r}, e.g. {name}:{missing[0]}=…")
    return METHODS[name].apply(model, **settings)


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """ "lora:r=16,alpha=32,targets=q_proj+v_proj" -> ("lora", {"r": 16, "alpha": 32, "targets": ["q_proj", "v_proj"]}).

    `targets=all` stays the word; LoRA and its kin take alpha = r where none is given.
    """
    name, _, rest = text.partition(":")
    settings: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals or key in settings:
            raise MethodError(f"{text!r}: expected name:key=value,key=value with each key once, not {item!r}")
        settings[key] = _value(key, value)
    if "r" in settings:
        settings.setdefault("alpha", settings["r"])
    return name, settings


def _value(key: str, value: str) -> Any:
    if key in ("targets", "feedforward", "quantised"):
        return value if value == "all" else value.split("+")
    if value in ("true", "false"):
        return value == "true"
    try:
        return float(value) if any(mark in value for mark in ".e") else int(value)
    except ValueError:
        raise MethodError(f"{key}={value}: not a number, true or false") from None
