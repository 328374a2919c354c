"""PEFT's own folder format: what we save loads in `PeftModel.from_pretrained`, what PEFT saves loads here.

LoRA, rsLoRA, DoRA, PiSSA, IA3 and Prefix. `adapter_config.json` names the method and its settings,
`adapter_model.safetensors` the tensors under "base_model.model." + the layer's name.

PEFT's own limits stay: it loads a prefix for inference only (never as trainable), and stores it folded, without its
network; a PiSSA folder holds A and B alone, and loading repeats the SVD, so the base must be the same to the bit. One
rank for all layers is written and read: rank_pattern and other settings that change the function are refused.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from lora_demo.methods import folder, peft_config, surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.ia3 import IA3Linear
from lora_demo.methods.prefix import Prefix
from lora_demo.methods.skeleton import adapted_shapes

FILES = ("adapter_config.json", "adapter_model.safetensors")
ROOT = "base_model.model."
PREFIX_KEY = "prompt_embeddings"
PARTS = {
    "lora_A": "lora_A.weight",
    "lora_B": "lora_B.weight",
    "magnitude": "lora_magnitude_vector",
    "factors": "ia3_l",
}
"""Our parameter name -> PEFT's."""


def save(model: nn.Module, directory: Path) -> Path:
    """Write the model's one adapter as PEFT would. Raises MethodError for methods that PEFT has no format for."""
    found = surgery.adapters(model)
    if len({type(module) for module in found.values()}) != 1:
        raise MethodError("PEFT's format holds exactly one kind of adapter: LoRA, DoRA, IA3 or Prefix; see own_format")
    first = next(iter(found.values()))
    if isinstance(first, Prefix):
        config, tensors = peft_config.prefix_config(first), {PREFIX_KEY: _flat(first)}
    else:
        config = peft_config.linear_config(model, found)
        tensors = {_key(name): _peft_shaped(model, name, value) for name, value in surgery.collect(model).items()}
    common = {"base_model_name_or_path": getattr(model, "name_or_path", None) or None, "inference_mode": True}
    return folder.write(directory, FILES, {**common, **config}, tensors)


def load(model: nn.Module, directory: Path) -> list[str]:
    """Apply the folder's method to a fresh base and fill in its tensors (a prefix too stays trainable here).

    Raises MethodError for settings or tensors that do not fit, with the base untouched.
    """
    config, tensors = folder.read(directory, FILES)
    apply = peft_config.reader(config, directory)
    tensors = {key: value.flatten() if key.endswith(".ia3_l") else value for key, value in tensors.items()}
    shapes = adapted_shapes(model, lambda bare: apply(bare, False))
    folder.check(tensors, {_key(name): shape for name, shape in shapes.items()}, directory)
    names = apply(model, True)
    for name, parameter in surgery.adapter_parameters(model).items():
        # the file's dtype wins: an adapter trained in float32 on a bfloat16 base comes back as it was
        parameter.data = tensors[_key(name)].to(parameter.device)
    return names


def _key(name: str) -> str:
    layer, part = name.rsplit(".", 1)
    return PREFIX_KEY if name == "prefix.table" else f"{ROOT}{layer}.{PARTS[part]}"


def _peft_shaped(model: nn.Module, name: str, value: Tensor) -> Tensor:
    """IA3's factors are a row where they scale the input and a column where they scale the output."""
    module = model.get_submodule(name.rsplit(".", 1)[0])
    if not isinstance(module, IA3Linear):
        return value
    return value[None] if module.feedforward else value[:, None]


@torch.no_grad()
def _flat(prefix: Prefix) -> Tensor:
    return prefix.table if prefix.network is None else prefix.network(prefix.table)
