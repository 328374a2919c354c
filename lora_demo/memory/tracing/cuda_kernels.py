"""CUDA's choices on a trace without CUDA.

A meta tensor takes PyTorch's device-independent paths; where CUDA's kernels keep other tensors, they are stood in for
here. Each stand-in allocates what the CUDA kernel allocates and saves what it saves, nothing is computed.

scaled_dot_product_attention (torch/aten/src/ATen/native/transformers/cuda/sdp_utils.cpp, attention.cpp):

    mask None, 16-bit, head dim <= 256   flash: saves q, k, v, out, log-sum-exp (B, H, T) fp32; the backward takes an
                                         fp32 dq accumulator of T rounded up to 128 and, under grouped-query
                                         attention, expanded dk and dv
    mask given, or fp32                  memory-efficient: a boolean mask becomes a 16-bit bias, padded to a multiple
                                         of 8 in the last dimension; saves q, k, v, bias, out, log-sum-exp

dropout: keeps a boolean mask of one byte per value (the CPU path keeps a mask of the input's dtype).

transformers looks at the positions' values for packed sequences and skips the mask when there are none. Values do not
exist here and no loop of ours packs, so there are none: a row without padding goes the flash path, as it does on a GPU.

cuBLAS holds a workspace per handle from its first use on: 4096 KiB x 2 + 16 KiB x 8 (32 MiB on Hopper).

Known limits: cuDNN's convolution workspaces (the frozen towers) and kernels chosen by auto-tuning are not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function
from transformers import masking_utils

from lora_demo.results.units import KIB, MIB

WORKSPACE = 2 * 4096 * KIB + 8 * 16 * KIB
WORKSPACE_HOPPER = 32 * MIB
FLASH_MAX_HEAD_DIM = 256
FLASH_QUERY_BLOCK = 128
EFFICIENT_LSE_BLOCK = 32
BIAS_ALIGNMENT = 8


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Stand-in for F.scaled_dot_product_attention; query (B, H, T, D), key and value (B, H or fewer, S, D)."""
    given = (query, key, value)
    if has_torch_function(given):  # as a function of PyTorch's own would ask; autocast answers
        return handle_torch_function(attention, given, *given, attn_mask=attn_mask)
    half = query.dtype in (torch.bfloat16, torch.float16)
    if attn_mask is None and half and query.shape[-1] <= FLASH_MAX_HEAD_DIM:
        return _Flash.apply(query, key, value)
    return _Efficient.apply(query, key, value, _bias(attn_mask, query))


def _bias(mask: Tensor | None, query: Tensor) -> Tensor | None:
    if mask is None:
        return None
    bias = query.new_empty(mask.shape) if mask.dtype == torch.bool else mask
    columns = mask.shape[-1]
    if columns % BIAS_ALIGNMENT == 0:
        return bias
    return query.new_empty((*mask.shape[:-1], -(-columns // BIAS_ALIGNMENT) * BIAS_ALIGNMENT))


def _rows_first(like: Tensor) -> Tensor:
    """A new tensor of `like`'s shape (B, H, T, D) whose memory is laid out (B, T, H, D), as the kernels do."""
    batch, heads, length, width = like.shape
    return like.new_empty((batch, length, heads, width)).transpose(1, 2)


class _Flash(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = _rows_first(query)
        lse = query.new_empty(query.shape[:3], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, lse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _, _ = ctx.saved_tensors
        batch, heads, length, width = query.shape
        padded = -(-length // FLASH_QUERY_BLOCK) * FLASH_QUERY_BLOCK
        expanded = [query.new_empty((batch, key.shape[2], heads, width)) for _ in range(2)]
        scratch = [
            query.new_empty((batch, heads, padded), dtype=torch.float32),
            query.new_empty((batch, heads, padded, width), dtype=torch.float32),
        ]
        gradients = _rows_first(query), _rows_first(key), _rows_first(value)
        del scratch, expanded
        return gradients


class _Efficient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        out = _rows_first(query)
        batch, heads, length, _ = query.shape
        padded = -(-length // EFFICIENT_LSE_BLOCK) * EFFICIENT_LSE_BLOCK
        lse = query.new_empty((batch, heads, padded), dtype=torch.float32)
        ctx.save_for_backward(query, key, value, bias, out, lse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, _, _, _ = ctx.saved_tensors
        delta = query.new_empty(query.shape[:3], dtype=torch.float32)
        gradients = _rows_first(query), _rows_first(key), _rows_first(value)
        del delta
        return (*gradients, None)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(torch.empty_like(x, dtype=torch.bool))
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return torch.empty_like(grads[0])


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Stand-in for F.dropout."""
    return _Dropout.apply(x) if training and p > 0 else x


@contextmanager
def cuda_kernels() -> Iterator[None]:
    """Put the stand-ins in place; recomputation inside a backward pass finds them too."""
    with (
        mock.patch.object(F, "scaled_dot_product_attention", attention),
        mock.patch.object(F, "dropout", dropout),
        mock.patch.object(masking_utils, "find_packed_sequence_indices", _not_packed),
    ):
        yield


def _not_packed(position_ids: Tensor) -> None:
    return None
