"""Answers for code that asks a tensor without data for a value.

A step's memory must not depend on values, but libraries do ask: is there padding in this mask, is anything NaN, how
many entries are set. The answers are those of an ordinary training batch:

    .item() of a boolean   False: the mask is not all ones (the longest batch is padded), nothing is NaN
    .item() of a number    1
    nonzero                every entry (the upper bound)
    meta -> host copy      zeros of the same shape
    boolean index          every entry
    unique                 one value
    bincount               one bin per requested length

Known limit: code whose memory does depend on values (sampling a sparse mask from the weights) is traced at the
answer given here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


def neutral_answer(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bool, Any]:
    """(True, answer) where the operator needs values of a meta tensor, else (False, None)."""
    rule = _RULES.get(func)
    if rule is None or not any(isinstance(arg, Tensor) and arg.device.type == "meta" for arg in args):
        return False, None
    answer = rule(args, kwargs)
    return answer is not NotImplemented, answer


def _item(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    dtype = args[0].dtype
    if dtype == torch.bool:
        return False
    return 1.0 if dtype.is_floating_point else 1


def _nonzero(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    tensor = args[0]
    return torch.empty((tensor.numel(), tensor.ndim), dtype=torch.int64, device="meta")


def _index(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    source, indices = args
    if not any(_is_meta_mask(index) for index in indices):
        return NotImplemented
    plain: list[Tensor | None] = []
    for index in indices:
        if _is_meta_mask(index):
            plain += [torch.empty(index.numel(), dtype=torch.int64, device="meta") for _ in range(index.ndim)]
        else:
            plain.append(index)
    return aten.index.Tensor(source, plain)


def _is_meta_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype == torch.bool and index.device.type == "meta"


def _unique(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    none = torch.empty(0, dtype=torch.int64, device="meta")
    return args[0].new_empty(1), none, none


def _bincount(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    length = kwargs.get("minlength", args[2] if len(args) > 2 else 0)
    return torch.empty(max(int(length), 1), dtype=torch.int64, device="meta")


def _to_host(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    device = kwargs.get("device")
    if device is None or torch.device(device).type == "meta":
        return NotImplemented
    return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype, device=device)


def _copy_to_host(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    target, source = args[:2]
    if target.device.type == "meta" or source.device.type != "meta":
        return NotImplemented
    return target


_RULES: dict[Callable[..., Any], Callable[[tuple[Any, ...], Mapping[str, Any]], Any]] = {
    aten._local_scalar_dense.default: _item,
    aten.nonzero.default: _nonzero,
    aten.index.Tensor: _index,
    aten._unique2.default: _unique,
    aten.bincount.default: _bincount,
    aten._to_copy.default: _to_host,
    aten.copy_.default: _copy_to_host,
}


class NeutralValues(TorchDispatchMode):
    """Gives the neutral answers while a model is set up, outside any trace."""

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        known, answer = neutral_answer(func, args, kwargs or {})
        return answer if known else func(*args, **(kwargs or {}))
