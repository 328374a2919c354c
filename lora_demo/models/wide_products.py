"""bfloat16 on a CPU that has no units for it: every product is taken in float32 and rounded once.

    y = round(x W)      with x, W in bfloat16, sums in float32

That is what a bfloat16 unit does as well, so results agree with one up to the order of sums. Without this, PyTorch
falls back to loops over single values: on a CPU with AVX2 only, a backward product of MGM-2B's size takes over a
hundred times as long. Weights stay in bfloat16; a float32 copy lives for one product.

Known limits: the list below holds what this project's steps run; another product would be slow, not wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any, tree_map

ATEN = torch.ops.aten
ATTENTION = ATEN._scaled_dot_product_flash_attention_for_cpu.default
WIDENED = {
    ATEN.mm.default,
    ATEN.addmm.default,
    ATEN.bmm.default,
    ATEN.baddbmm.default,
    ATEN.convolution.default,
    ATEN.convolution_backward.default,
    ATTENTION,
    ATEN._scaled_dot_product_flash_attention_for_cpu_backward.default,
}


class WideProducts(TorchDispatchMode):
    """Within, products of bfloat16 tensors are taken in float32, in the forward and in the backward pass."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func not in WIDENED or not tree_any(_narrow, (args, options)):
            return func(*args, **options)
        wide_args, wide_options = tree_map(_widen, (args, options))
        result = func(*wide_args, **wide_options)
        if func is ATTENTION:
            # The softmax's logarithms are float32 by nature.
            return (_round(result[0]), *result[1:])
        return tree_map(_round, result)


def wide_where_needed(device: torch.device, *, bfloat16: bool) -> AbstractContextManager[Any]:
    """`WideProducts` where `bfloat16` products would run on a CPU without units for them; nothing otherwise."""
    needed = bfloat16 and device.type == "cpu" and not has_bfloat16_units()
    return WideProducts() if needed else nullcontext()


def has_bfloat16_units() -> bool:
    """Whether this CPU multiplies bfloat16 by itself (AVX-512 BF16, AMX, or Arm's BF16 extension)."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _narrow(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bfloat16


def _widen(value: Any) -> Any:
    return value.float() if _narrow(value) else value


def _round(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, Tensor) and value.dtype == torch.float32 else value
