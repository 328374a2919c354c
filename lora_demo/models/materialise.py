"""From a model on the meta device to one with memory, and random weights for measuring at full size."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def materialise(model: nn.Module, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> None:
    """Give every meta parameter memory (not yet values), keeping tied parameters tied, and rebuild the buffers."""
    memory: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if id(parameter) not in memory:
                empty = torch.empty_like(parameter, dtype=dtype, device=device)
                memory[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
                memory[id(memory[id(parameter)])] = memory[id(parameter)]
            setattr(module, name, memory[id(parameter)])
    restore_buffers(model, device)


def restore_buffers(model: nn.Module, device: torch.device | str) -> None:
    """Recompute the buffers that no checkpoint stores; left alone, they would be whatever the memory held.

    Raises NotImplementedError for a buffer this function does not know, rather than leave it undefined.
    """
    for path, module in model.named_modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta:
                module.register_buffer(name, _value(module, name, buffer, path).to(device), persistent=False)


def _value(module: Any, name: str, buffer: torch.Tensor, path: str) -> torch.Tensor:
    if name == "embed_scale":
        return torch.tensor(module.scalar_embed_scale)
    if name in ("inv_freq", "original_inv_freq"):
        return getattr(type(module)(module.config), name)
    if name == "position_ids":
        return torch.arange(buffer.shape[-1]).expand(1, -1).clone()
    raise NotImplementedError(f"buffer {path}.{name} has no rule for making it; add one to restore_buffers")


@torch.no_grad()
def randomise(model: nn.Module, *, seed: int, spread: float = 0.02) -> None:
    """Fill all parameters in place: matrices N(0, spread), norms neutral, other vectors zero."""
    generators: dict[torch.device, torch.Generator] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                device = parameter.device
                generator = generators.setdefault(device, torch.Generator(device).manual_seed(seed))
                parameter.normal_(0.0, spread, generator=generator)
            else:
                parameter.fill_(float(_is_gain(module, name)))


def _is_gain(module: nn.Module, name: str) -> bool:
    # Gemma stores its gains minus one, so that zero is neutral there.
    return name == "weight" and "Norm" in type(module).__name__ and "Gemma" not in type(module).__name__
