"""Saving what PEFT has no format for (Adapter, BitFit, AdaLoRA, …): the method, its settings, its tensors.

`lora_demo_adapter.json` holds {"format", "method", "settings"}, `adapter.safetensors` the tensors by the name that
`surgery.collect` gives them. Loading applies the method anew and copies the tensors back, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from lora_demo.methods import folder, registry, surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.skeleton import adapted_shapes

FILES = ("lora_demo_adapter.json", "adapter.safetensors")
FORMAT = 1


def save(model: nn.Module, directory: Path, method: str, settings: Mapping[str, Any]) -> Path:
    """Save what `registry.apply(model, method, **settings)` added or changed; the tensors carry their own dtype."""
    if method == "pissa":
        raise MethodError("pissa rewrites the base: save it with peft_format, or convert it with pissa.as_plain_lora")
    kept = {name: value for name, value in settings.items() if name != "dtype"}
    config = {"format": FORMAT, "method": method, "settings": kept}
    return folder.write(directory, FILES, config, surgery.collect(model))


def load(model: nn.Module, directory: Path) -> list[str]:
    """Apply the saved method to a fresh base and fill in its tensors; returns what `registry.apply` returns.

    Raises MethodError for a file that does not fit, with the base untouched.
    """
    config, tensors = folder.read(directory, FILES)
    method, settings = config.get("method"), config.get("settings")
    if config.get("format") != FORMAT or not isinstance(method, str) or not isinstance(settings, dict):
        raise MethodError(f"{directory / FILES[0]}: needs format {FORMAT}, a method and its settings")
    shapes = adapted_shapes(model, lambda bare: registry.apply(bare, method, **settings))
    folder.check(tensors, shapes, directory)
    names = registry.apply(model, method, **settings)
    for name, parameter in surgery.adapter_parameters(model).items():
        # the file's dtype wins: an adapter trained in float32 on a bfloat16 base comes back as it was
        parameter.data = tensors[name].to(parameter.device)
    return names
