"""CUDA's autocast on a trace without CUDA: PyTorch's own has no form for the meta device.

Which functions take bfloat16 and which float32 follows PyTorch's table (torch/aten/src/ATen/autocast_mode.h; "Autocast
Op Reference" in its documentation), as far as language models and their towers call them. A trained float32 weight is
cast once per forward and kept until its end (`cached_cast` in autocast_mode.cpp), anything else at every use. A
recomputed layer casts anew and keeps nothing, since its autocast ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from lora_demo.memory.tracing import cuda_kernels

# What is patched for the trace is listed by its stand-in as well.
_ATTENTION = (F.scaled_dot_product_attention, cuda_kernels.attention)
_NARROW = {
    *(F.linear, F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d, *_ATTENTION),
    *(torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.mm, Tensor.mm, torch.bmm, Tensor.bmm),
    *(torch.addmm, Tensor.addmm, torch.baddbmm, Tensor.baddbmm, torch.mv, torch.einsum),
}
_WIDE = {
    *(F.softmax, torch.softmax, Tensor.softmax, F.log_softmax, torch.log_softmax, Tensor.log_softmax),
    *(F.layer_norm, torch.layer_norm, F.group_norm, F.rms_norm, torch.rms_norm),
    *(F.normalize, F.cross_entropy, F.nll_loss, F.mse_loss),
    *(torch.exp, Tensor.exp, torch.log, Tensor.log, torch.pow, Tensor.pow, Tensor.__pow__, Tensor.__rpow__),
    *(torch.rsqrt, Tensor.rsqrt, torch.reciprocal, Tensor.reciprocal, torch.norm, Tensor.norm, torch.logsumexp),
    *(torch.sum, Tensor.sum, torch.prod, Tensor.prod, torch.cumsum, Tensor.cumsum, torch.cumprod, Tensor.cumprod),
}


class Autocast(TorchFunctionMode):
    """Within, functions get the types that CUDA's autocast to bfloat16 would give them.

    recomputing  inside a backward pass: act only while a forward is recomputed there, and keep no casts
    """

    def __init__(self, *, recomputing: bool = False) -> None:
        super().__init__()
        self._recomputing = recomputing
        self._casts: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        # In a backward pass gradients are enabled only while a forward is recomputed.
        if self._recomputing and not torch.is_grad_enabled():
            return func(*args, **options)
        if func in _NARROW:
            args, options = tree_map(self._narrow, (args, options))
        elif func in _WIDE:
            args, options = tree_map(_wide, (args, options))
        return func(*args, **options)

    def __exit__(self, *reason: Any) -> None:
        self._casts.clear()
        super().__exit__(*reason)

    def _narrow(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype not in (torch.float32, torch.float16):
            return value  # float64 and integers stay as they are
        kept = value.dtype == torch.float32 and value.is_leaf and value.requires_grad and not self._recomputing
        if not kept:
            return value.to(torch.bfloat16)
        if id(value) not in self._casts:
            # The weight is held beside its cast, so that its id stays its own.
            self._casts[id(value)] = value, value.to(torch.bfloat16)
        return self._casts[id(value)][1]


def _wide(value: Any) -> Any:
    narrow = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if narrow else value
