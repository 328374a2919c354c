"""NF4: weights in 4 bits, block by block, with a code book made for normally distributed values.

    code book  q_0 .. q_15: quantiles of N(0, 1), scaled to [-1, 1], with an exact zero
    block of 64 values w:   c = max|w|,   index = nearest code to w / c,   ŵ = c · q[index]
    double quantisation:    the scales c, less their mean, are 8-bit integers in blocks of 256 with one float32 each

    bits per value = 4 + 8/64 + 32/(64 · 256) = 4.127        |w - ŵ| <= c · gap/2 + error of c, gap = widest code gap

Source: Dettmers et al. 2023, QLoRA, arXiv:2305.14314, equations 3-6 and appendix E. The paper's second step uses an
8-bit float, we use evenly spaced integers: the same size, and a bound that is easier to state.
Known limits: written to be read; dequantising needs temporaries of about 12 bytes per value, a fused kernel none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from statistics import NormalDist
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8, Int32, UInt8
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.module import PackedLinear

BLOCK = 64
SCALE_BLOCK = 256


@cache
def code_book() -> tuple[float, ...]:
    """Sixteen ascending values: 8 positive and 7 negative quantiles with equal mass between them, and zero."""
    outermost = (1 - 1 / 30 + 1 - 1 / 32) / 2
    positive = [NormalDist().inv_cdf(0.5 + (outermost - 0.5) * i / 8) for i in range(1, 9)]
    negative = [-NormalDist().inv_cdf(0.5 + (outermost - 0.5) * i / 7) for i in range(7, 0, -1)]
    return tuple(value / positive[-1] for value in [*negative, 0.0, *positive])


class Packed(NamedTuple):
    """All that is stored of a weight. `constants` are float32 bits: as integers they survive `.to(bfloat16)`."""

    codes: UInt8[Tensor, " half"]
    scales: Int8[Tensor, " blocks"]
    constants: Int32[Tensor, " groups_and_mean"]


def quantise(weight: Float[Tensor, "..."]) -> Packed:
    """Two codes per byte, the even one in the high half; the last block is padded with zeros."""
    blocks = _blocks(weight.detach().flatten().float(), BLOCK)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    levels = torch.tensor(code_book(), device=weight.device)
    unit = blocks / scale.clamp_min(torch.finfo(torch.float32).tiny)
    codes = torch.bucketize(unit, (levels[1:] + levels[:-1]) / 2, out_int32=True).to(torch.uint8).flatten()
    mean = scale.mean()
    centred = _blocks(scale.flatten() - mean, SCALE_BLOCK)
    step = centred.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / 127
    scales = (centred / step).round().to(torch.int8).flatten()[: scale.numel()]
    constants = torch.cat([step.flatten(), mean.reshape(1)])
    return Packed(codes[0::2] << 4 | codes[1::2], scales, constants.view(torch.int32))


def dequantise(packed: Packed, shape: tuple[int, ...], dtype: torch.dtype) -> Float[Tensor, "..."]:
    """ŵ = c · q[index], in `shape` and `dtype`."""
    constants = packed.constants.view(torch.float32)
    steps = constants[:-1].repeat_interleave(SCALE_BLOCK)[: packed.scales.numel()]
    scale = packed.scales * steps + constants[-1]
    codes = torch.stack([packed.codes >> 4, packed.codes & 15], dim=-1).view(-1, BLOCK)
    values = torch.tensor(code_book(), device=codes.device)[codes.int()] * scale[:, None]
    return values.flatten()[: torch.Size(shape).numel()].view(shape).to(dtype)


class PackedProduct(torch.autograd.Function):
    """x Ŵᵀ. The gradient of x needs Ŵ too (grad · Ŵ): it is dequantised again, and only packed data is kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shape: tuple[int, int], *packed: Tensor) -> Tensor:
        ctx.shape, ctx.dtype = shape, x.dtype
        ctx.save_for_backward(*packed)
        return F.linear(x, dequantise(Packed(*packed), shape, x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        weight = dequantise(Packed(*ctx.saved_tensors), ctx.shape, grad.dtype)
        return (grad @ weight).to(ctx.dtype), None, None, None, None


class NF4Linear(PackedLinear):
    """A linear layer whose frozen weight is NF4; the bias stays as it was. Made from an ordinary linear layer."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.compute_dtype = linear.weight.dtype
        for name, value in quantise(linear.weight)._asdict().items():
            self.register_buffer(name, value)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach(), requires_grad=False)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        y = PackedProduct.apply(x, (self.out_features, self.in_features), *self.packed)
        return y if self.bias is None else y + self.bias

    @property
    def packed(self) -> Packed:
        return Packed(*(self.get_buffer(name) for name in Packed._fields))

    def dequantised(self) -> Float[Tensor, "d_out d_in"]:
        return dequantise(self.packed, (self.out_features, self.in_features), self.compute_dtype)

    def bits_per_value(self) -> float:
        """Stored bits of the weight per value of it."""
        return 8 * sum(part.numel() * part.element_size() for part in self.packed) / self.logical_numel


def to_linear(packed: NF4Linear) -> nn.Linear:
    """An ordinary linear layer with the dequantised weight: the place to merge an adapter into."""
    linear = nn.Linear(packed.in_features, packed.out_features, bias=False)
    linear.weight = nn.Parameter(packed.dequantised(), requires_grad=False)
    linear.register_parameter("bias", packed.bias)
    return linear


def quantise_linears(model: nn.Module, targets: str | Iterable[str]) -> list[str]:
    """Replace the target linear layers by their NF4 form; returns their names."""
    names = [name for name in surgery.find(model, targets) if isinstance(model.get_submodule(name), nn.Linear)]
    for name in names:
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        model.set_submodule(name, NF4Linear(linear))
    return names


def _blocks(flat: Float[Tensor, " n"], size: int) -> Float[Tensor, "blocks size"]:
    return F.pad(flat, (0, -flat.numel() % size)).view(-1, size)
