"""The model where it is trained: on its device, as replicas or as shards."""

from __future__ import annotations

from accelerate import Accelerator
from torch import nn
from torch.optim import Optimizer

from lora_demo.models.towers import TOWERS
from lora_demo.training.engine import sharded
from lora_demo.training.recipes.recipe import Recipe


def placed(model: nn.Module, recipe: Recipe, accelerator: Accelerator) -> nn.Module:
    """The model on its device; towers whose features lie on disk stay behind (DDP wants all parts in one place).

    A model that is to be sharded stays where it is: sharding moves it, layer by layer.
    """
    if sharded.active(accelerator):
        return model
    if not (recipe.cache_features and recipe.data.kind == "folder" and accelerator.num_processes == 1):
        return model.to(accelerator.device)
    for name, part in model.named_children():
        if name not in TOWERS:
            part.to(accelerator.device)
    return model


def prepared(model: nn.Module, optimizer: Optimizer, accelerator: Accelerator) -> tuple[nn.Module, Optimizer]:
    """Both as this run's processes share them."""
    if sharded.active(accelerator):
        return sharded.prepare(model, optimizer, accelerator)
    return accelerator.prepare(model, optimizer, device_placement=[False, True])
