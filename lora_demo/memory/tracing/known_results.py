"""Remembers what an operator returns on the meta device, since a decoder asks the same of it in every layer.

PyTorch computes shapes, strides and dtypes of many operators in Python, at ten times the cost of making the tensor.
Two kinds of operator are remembered, told apart by their schemas:

    fresh     no argument is aliased or written: results are new tensors, fixed by the arguments' geometry
    in place  the first argument is written and returned, and keeps its geometry

Everything else (views, lists written in place, sparse and complex tensors, host tensors) is asked every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

Nature = Literal["fresh", "in place", "other"]
Geometry = tuple[torch.Size, tuple[int, ...], torch.dtype]

_PLAIN = (int, float, bool, str, type(None), torch.dtype, torch.layout, torch.device, torch.memory_format)


class Unknown(Exception):
    """A call whose result cannot be fixed by what is hashable in its arguments."""


class KnownResults:
    """Runs operators, those seen before with the same geometry from memory."""

    def __init__(self) -> None:
        self._natures: dict[Callable[..., Any], Nature] = {}
        self._known: dict[Any, list[Geometry] | None] = {}

    def run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """`func(*args, **kwargs)`, with the same geometry, aliasing and memory."""
        nature = self._natures.get(func) or self._learn(func)
        if nature == "other":
            return func(*args, **kwargs)
        try:
            key = (func, _key(args), _key(tuple(kwargs.items())) if kwargs else ())
        except Unknown:
            return func(*args, **kwargs)
        if key not in self._known:
            result = func(*args, **kwargs)
            self._known[key] = None if nature == "fresh" and _shares(result, args) else _geometries(result)
            return result
        known = self._known[key]
        if known is None:
            return func(*args, **kwargs)
        if nature == "in place":
            return args[0]
        made = [torch.empty_strided(size, stride, dtype=dtype, device="meta") for size, stride, dtype in known]
        return made[0] if len(made) == 1 else tuple(made)

    def _learn(self, func: Callable[..., Any]) -> Nature:
        self._natures[func] = nature = _nature(func)
        return nature


def _nature(func: Any) -> Nature:
    schema = func._schema
    if not schema.returns or any(str(value.type) != "Tensor" for value in schema.returns):
        return "other"
    aliased = [value for value in (*schema.arguments, *schema.returns) if value.alias_info is not None]
    if not aliased:
        return "fresh"
    first, returned = schema.arguments[0], schema.returns[0]
    writes_first = len(aliased) == 2 and first.alias_info is not None and first.alias_info.is_write
    keeps_geometry = torch.Tag.inplace_view not in func.tags and "resize" not in schema.name
    return "in place" if writes_first and returned.alias_info is not None and keeps_geometry else "other"


def _key(values: tuple[Any, ...] | list[Any]) -> tuple[Any, ...]:
    return tuple(_part(value) for value in values)


def _part(value: Any) -> Any:
    if isinstance(value, Tensor):
        if not value.is_meta or value.layout is not torch.strided or value.is_complex():
            raise Unknown
        return value.shape, value.stride(), value.dtype
    if isinstance(value, (tuple, list)):
        return _key(value)
    if not isinstance(value, _PLAIN):
        raise Unknown
    # 1, 1.0 and True are equal keys, and promote to different dtypes
    return type(value), value


def _shares(result: Any, args: tuple[Any, ...]) -> bool:
    """Whether a result lies in an argument's storage although the schema does not say so (_unsafe_view does)."""
    given = {id(leaf.untyped_storage()) for leaf in tree_leaves(args) if isinstance(leaf, Tensor)}
    return any(id(leaf.untyped_storage()) in given for leaf in tree_leaves(result) if isinstance(leaf, Tensor))


def _geometries(result: Any) -> list[Geometry] | None:
    """None where remaking the result would not give the same storages."""
    tensors = (result,) if isinstance(result, Tensor) else result
    geometries: list[Geometry] = []
    for tensor in tensors:
        if not isinstance(tensor, Tensor) or not tensor.is_meta or tensor.layout is not torch.strided:
            return None
        size, stride, dtype = tensor.shape, tensor.stride(), tensor.dtype
        again = torch.empty_strided(size, stride, dtype=dtype, device="meta")
        if tensor.storage_offset() or again.untyped_storage().nbytes() != tensor.untyped_storage().nbytes():
            return None
        geometries.append((size, stride, dtype))
    return geometries
