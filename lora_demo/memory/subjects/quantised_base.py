"""A frozen base in bitsandbytes' NF4 or int8, without data: the same layers, holding and allocating what CUDA's do.

PEFT and our own methods tell a quantised layer by its class, so these are bitsandbytes' own classes with the kernels
stood in for (bitsandbytes 0.50, autograd/_functions.py and backends/cuda/ops.py):

    nf4   weight   N/2 bytes, one byte per 64 values, one float32 per 256 of those (double quantisation)
          forward  the weight dequantised whole, in the dtype of x, for the product; x is not kept
          backward the same once more, for the gradient of x
    int8  weight   N bytes and one float32 per row
          forward  x in float16, x in int8 with a float32 per row, the product in int32, then in the dtype of x;
                   x itself is kept, although the gradient of x does not need it
          backward the weight in the dtype of x, for the gradient of x

Known limits: few rows (M up to 1536, by card and shape) take a fused NF4 kernel without the dequantised weight, so
there the prediction is high by one weight; no outlier columns in int8; layer norms stay in the base's dtype.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lora_demo.memory.subjects.errors import BuildError
from lora_demo.methods import surgery

BaseName = Literal["bf16", "nf4", "int8"]
BASES: tuple[BaseName, ...] = get_args(BaseName)
BLOCK, SCALE_BLOCK = 64, 256
# They work on inputs, norms or the embedding and never look at a quantised weight.
ANY_BASE = ("LN_TUNING", "TRAINABLE_TOKENS")


def quantise_base(language_model: Any, base: BaseName) -> int:
    """Replace every linear layer but the output head; returns how many. The model lies on the meta device."""
    if base == "bf16":
        return 0
    make = _four_bit if base == "nf4" else _eight_bit
    names = surgery.find(language_model, surgery.ALL)
    for name in names:
        language_model.set_submodule(name, make(language_model.get_submodule(name)))
    setattr(language_model, "is_loaded_in_4bit" if base == "nf4" else "is_loaded_in_8bit", True)
    return len(names)


def refuse_unsupported(kind: str, on_prompts: bool, base: BaseName) -> None:
    """Raises BuildError for a PEFT method that has no form for a quantised layer."""
    if base == "bf16" or on_prompts or kind in ANY_BASE:
        return
    if importlib.util.find_spec(f"peft.tuners.{kind.lower()}") is None or not importlib.util.find_spec(
        f"peft.tuners.{kind.lower()}.bnb"
    ):
        raise BuildError(f"--base {base}: PEFT's {kind} has no form for bitsandbytes' layers; leave the base in bf16")


def _four_bit(linear: nn.Linear) -> nn.Module:
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    settings: dict[str, Any] = {"quant_type": "nf4", "compress_statistics": True}
    count, dtype = linear.weight.numel(), linear.weight.dtype
    packed = Linear4bit(
        linear.in_features, linear.out_features, bias=False, compute_dtype=dtype, device="meta", **settings
    )
    data = torch.empty((-(-count // 2), 1), dtype=torch.uint8, device="meta")
    packed.weight = Params4bit(data, requires_grad=False, **settings)
    scales = -(-count // BLOCK)
    packed.register_buffer("scales", torch.empty(scales, dtype=torch.uint8, device="meta"), persistent=False)
    packed.register_buffer("steps", torch.empty(-(-scales // SCALE_BLOCK), device="meta"), persistent=False)
    return _with_product(packed, linear, _FourBitProduct.apply, packed.weight)


def _eight_bit(linear: nn.Linear) -> nn.Module:
    from bitsandbytes.nn.modules import Int8Params, Linear8bitLt

    packed = Linear8bitLt(
        linear.in_features, linear.out_features, bias=False, has_fp16_weights=False, threshold=6.0, device="meta"
    )
    data = torch.empty(linear.weight.shape, dtype=torch.int8, device="meta")
    packed.weight = Int8Params(data, requires_grad=False, has_fp16_weights=False)  # pyright: ignore[reportCallIssue]
    packed.register_buffer("row_scales", torch.empty(linear.out_features, device="meta"), persistent=False)
    return _with_product(packed, linear, _EightBitProduct.apply, packed.weight)


def _with_product(packed: nn.Module, linear: nn.Linear, product: Callable[..., Any], weight: Tensor) -> nn.Module:
    """`packed` with a forward that allocates what CUDA's does."""
    shape = (linear.out_features, linear.in_features)
    if linear.bias is not None:
        packed.bias = nn.Parameter(linear.bias.detach(), requires_grad=False)

    def forward(x: Tensor) -> Tensor:
        return product(x, weight, shape)

    # On the instance, so that the class stays the one that others look for.
    packed.forward = forward
    return packed


class _FourBitProduct(torch.autograd.Function):
    """x (…, in) with a weight packed into (out · in / 2, 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.shape = shape
        return F.linear(x, _dequantised(x, shape))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] @ _dequantised(grads[0], ctx.shape), None, None


class _EightBitProduct(torch.autograd.Function):
    """x (…, in) with an int8 weight (out, in)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.kept, ctx.shape = x, shape
        rows = x.reshape(-1, shape[1])
        half = rows.to(torch.float16)
        whole, row_scales = torch.empty_like(rows, dtype=torch.int8), rows.new_empty(len(rows), dtype=torch.float32)
        del half
        product = rows.new_empty((len(rows), shape[0]), dtype=torch.int32)
        out = torch.empty_like(product, dtype=torch.float16)
        del product, whole, row_scales
        return out.to(x.dtype).reshape(*x.shape[:-1], shape[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] @ grads[0].new_empty(ctx.shape), None, None


def _dequantised(like: Tensor, shape: tuple[int, int]) -> Tensor:
    """The scales in float32 first, then the weight."""
    scales = like.new_empty(-(-shape[0] * shape[1] // BLOCK), dtype=torch.float32)
    weight = like.new_empty(shape)
    del scales
    return weight
