"""Saving and loading what trains and nothing else, as on a whiteboard.

    state = {name: θ  for θ in θ_trained},      about r (d_in + d_out) values for each layer

Source: Hu et al. 2021, LoRA, arXiv:2106.09685, section 4.2 (the checkpoint holds A and B only). The full version, with
its files and settings: `methods.surgery`, `methods.own_format`.
Known limits: α is no tensor and has to be kept beside the state; nothing says which base it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """What trains, by its full name: copies on the CPU that no later step changes."""
    return {name: parameter.detach().cpu().clone() for name, parameter in _trained(model).items()}


@torch.no_grad()
def load_adapter(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy the values in; all of the state is checked first, so that an error leaves the model as it was."""
    own = _trained(model)
    if own.keys() != state.keys():
        missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        raise KeyError(f"missing: {', '.join(missing) or 'none'}; unexpected: {', '.join(unexpected) or 'none'}")
    for name, parameter in own.items():
        if parameter.shape != state[name].shape:  # copy_ would broadcast rank 1 to any rank
            raise ValueError(f"{name} is {list(parameter.shape)} here and {list(state[name].shape)} in the state")
    for name, parameter in own.items():
        parameter.copy_(state[name])  # in place: the optimizer holds these very tensors


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
