"""What one call costs, counted and not timed: operations, bytes written, bytes kept for the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Costs:
    """`flops` of matrix products, forward and backward; `written` bytes of every operation's outputs, views excluded;
    `saved` bytes of tensors kept for the backward pass, each storage once, the given frozen ones excluded."""

    flops: int
    written: int
    saved: int


def count_costs(call: Callable[[], Tensor], resident: list[Tensor]) -> Costs:
    """Run `call` and its backward pass on any device (meta costs nothing) and count.

    resident  tensors that exist anyway (weights, the input) and so cost nothing when they are kept
    """
    known = {_storage(tensor) for tensor in resident}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in known:
            saved[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    flops, writes = FlopCounterMode(display=False), _Writes()
    with flops, writes:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            output = call()
        output.backward(torch.ones_like(output))
    return Costs(flops.get_total_flops(), writes.total, sum(saved.values()))


class _Writes(TorchDispatchMode):
    """Adds up the bytes of every output that does not share its storage with an input."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.is_view:
            return out
        self.total += sum(t.numel() * t.element_size() for t in tree_leaves(out) if isinstance(t, Tensor))
        return out


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
