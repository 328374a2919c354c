"""Sharded parameters: PyTorch's FSDP2 (`fully_shard`), asked for by `accelerate launch --use_fsdp`.

Every process keeps an equal slice of each parameter, gradient and optimizer state (a DTensor). A decoder layer's
slices are gathered while it runs and let go again; embedding and projectors are gathered for the whole step. The
towers stay whole everywhere: they are frozen, and data may be seen through them outside of a step. The arithmetic is
that of replicas.

Accelerate drives it. Parameters and optimizer state go into checkpoints whole; a run's result is the same file however
it was trained.
Source: Zhao et al. 2023, PyTorch FSDP, arXiv:2304.11277, sections 3 and 4.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin, PartialState
from accelerate.checkpointing import load_accelerator_state, save_accelerator_state
from accelerate.utils import DistributedType
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from lora_demo.models.towers import TOWERS

SWITCH = "ACCELERATE_USE_FSDP"
"""What `accelerate launch --use_fsdp` sets for its processes."""
OPTIMIZER = "optimizer.bin"
# Not strict: mining's key biases never get a gradient, hence no state.
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, broadcast_from_rank0=True, strict=False)


def asked_for() -> bool:
    """Whether the launcher wants parameters sharded; several processes are needed for it."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return several and os.environ.get(SWITCH, "false").lower() == "true"


def plugin() -> FullyShardedDataParallelPlugin:
    """Accelerate's settings for it. Units are chosen by `prepare`."""
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        reshard_after_forward=True,
        # Every process reads the weights itself: towers and random weights have no loader that could wait.
        cpu_ram_efficient_loading=False,
        activation_checkpointing=False,
    )


def switch_on(accelerator: Accelerator, settings: FullyShardedDataParallelPlugin) -> None:
    """On CPUs Accelerate knows replicas only, and would start them in silence; PyTorch shards there too, over gloo."""
    accelerator.state.fsdp_plugin = settings
    # Accelerate keeps this in two places, and copies the second over the first whenever it looks.
    for state in (accelerator.state, PartialState()):
        state.distributed_type = DistributedType.FSDP


def active(accelerator: Accelerator) -> bool:
    """Whether this run's parameters are sharded."""
    return accelerator.distributed_type == DistributedType.FSDP


def prepare(
    model: nn.Module, optimizer: torch.optim.Optimizer, accelerator: Accelerator
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Cut the model, in place, and the optimizer's parameters with it: a unit per decoder layer, one of the rest."""
    towers = [part.to(accelerator.device) for name, part in model.named_children() if name in TOWERS]
    settings: Any = accelerator.state.fsdp_plugin
    settings.transformer_cls_names_to_wrap = _layer_classes(model.get_submodule("language_model"))
    settings.ignored_modules = towers
    return accelerator.prepare(model, optimizer)


def _layer_classes(language_model: nn.Module) -> list[str]:
    """What transformers says must not be torn apart, as far as the model has it."""
    whole: Any = language_model._no_split_modules
    return sorted({type(part).__name__ for part in language_model.modules()}.intersection(whole))


def let_go(model: nn.Module) -> None:
    """Drop what a forward pass gathered. A backward pass does so itself; after an evaluation none comes, and the model
    would show whole copies where checkpoint and optimizer look for its slices."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole(tensor: Tensor) -> Tensor:
    """The whole of a sharded tensor, any other as it is. Every process has to call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """This process's slice of a sharded tensor, any other whole."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def fill(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Set parameters, sharded or not, to whole values that every process has."""
    for name, parameter in parameters.items():
        value = values[name]
        if isinstance(parameter, DTensor):
            value = distribute_tensor(value.to(parameter), parameter.device_mesh, parameter.placements)
        parameter.copy_(value)


def save_state(folder: Path, model: nn.Module, accelerator: Accelerator) -> None:
    """Optimizer state, gathered and written by the first process; random state, written by each."""
    (optimizer,) = accelerator._optimizers
    state = get_optimizer_state_dict(model, optimizer, options=WHOLE)
    folder.mkdir(exist_ok=True)
    save_accelerator_state(str(folder), [], [], [], [], accelerator.process_index, accelerator.step)
    if accelerator.is_main_process:
        torch.save(state, folder / OPTIMIZER)


def load_state(folder: Path, model: nn.Module, accelerator: Accelerator) -> None:
    """What `save_state` wrote."""
    (optimizer,) = accelerator._optimizers
    state = torch.load(folder / OPTIMIZER, weights_only=True) if accelerator.is_main_process else {}
    set_optimizer_state_dict(model, optimizer, state, options=WHOLE)
    load_accelerator_state(str(folder), [], [], [], [], accelerator.process_index)


@torch.no_grad()
def gather(model: nn.Module, *, keep: bool) -> None:
    """Replace sharded parameters by whole ones on the host, one at a time. Every process calls it; the model then no
    longer trains.

    keep  whether this process wants them; the others only help, and keep their slices
    """
    known: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not isinstance(parameter, DTensor):
                continue
            if id(parameter) not in known:
                value = whole(parameter).cpu()
                known[id(parameter)] = nn.Parameter(value, parameter.requires_grad) if keep else parameter
            module._parameters[name] = known[id(parameter)]
