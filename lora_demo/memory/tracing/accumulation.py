"""Where autograd would add two gradients in place.

A tensor used twice gets two gradients; the engine adds the second into the first when nobody else holds the first
(torch/csrc/autograd/input_buffer.cpp, `can_accumulate_inplace`). Under any dispatch mode it refuses to, so a trace
would count one buffer too many; this predicate puts the rule back.

Known limit: a sum inside a backward formula, over a buffer that is read again later, is taken for such a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

# one reference is the tensor, one is the Python storage object through which we look
UNSHARED = 2


def accumulates_in_place(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether this call is the engine's sum of two gradients, of which the first is unshared and dense."""
    if func is not torch.ops.aten.add.Tensor or kwargs or torch.is_grad_enabled() or len(args) != 2:
        return False
    first, second = args
    if not (isinstance(first, Tensor) and isinstance(second, Tensor)):
        return False
    alike = first.shape == second.shape and first.dtype == second.dtype and first.device == second.device
    return alike and first.is_contiguous() and _holders(first) == UNSHARED


def _holders(tensor: Tensor) -> int:
    return torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)
