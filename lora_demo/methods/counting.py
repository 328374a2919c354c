"""Counting parameters: a packed 4-bit weight counts by its values, a tied weight once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from lora_demo.methods.module import PackedLinear
from lora_demo.methods.surgery import adapter_parameters


@dataclass(frozen=True)
class ParameterCount:
    """`total` counts every value of the model as it stands, `trainable` those declared as adapter."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        """Trainable part of the total, as PEFT prints it."""
        return self.trainable / self.total


def count_parameters(model: nn.Module) -> ParameterCount:
    """Values, however few bits each takes; `sum(p.numel())` would count the entries that packed ones are stored in."""
    packed = sum(module.logical_numel for module in model.modules() if isinstance(module, PackedLinear))
    return ParameterCount(
        trainable=sum(logical_numel(parameter) for parameter in adapter_parameters(model).values()),
        total=packed + sum(logical_numel(parameter) for parameter in model.parameters()),
    )


def logical_numel(parameter: nn.Parameter) -> int:
    """Values a parameter stands for; bitsandbytes keeps the true shape of a packed weight in its `quant_state`.

    `numel()` counts entries of the storage type, each holding two 4-bit values as uint8, four as bf16, eight as fp32.
    """
    shape = getattr(getattr(parameter, "quant_state", None), "shape", None)
    return math.prod(shape) if shape is not None else parameter.numel()
