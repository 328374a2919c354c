"""NF4 and QLoRA: the code book, the error of a block, the bits, and whose weight the gradient sees."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import SEEDS, randomise
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, require_equal, require_within

BLOCK, GROUP = 64, 256
SHAPES = st.sampled_from([(8, 64), (16, 128), (24, 96), (64, 512)])


def _weight(shape: tuple[int, int], seed: int, spread: bool) -> Tensor:
    """Normal values; `spread` makes the blocks' sizes differ up to a hundredfold, as outliers do."""
    weight = torch.empty(shape)
    randomise(weight, seed)
    if spread:
        sizes = torch.logspace(-1, 1, weight.numel() // BLOCK).repeat_interleave(BLOCK)
        weight = weight * torch.cat([sizes, torch.ones(weight.numel() - len(sizes))]).view(shape)
    return weight


@claim(
    "NF4 的码本是 16 个升序的值：含零和 ±1，两侧各自按正态分布等概率取分位。",
    "NF4's code book is 16 ascending values with zero and ±1, each side spaced by equal mass of the "
    "normal distribution.",
)
def nf4_code_book_is_normal_quantiles(implementation: Implementation) -> None:
    book = implementation.nf4.code_book()
    require(len(book) == 16 == len(set(book)), f"{len(set(book))} different values instead of 16")
    require(list(book) == sorted(book), "the values do not ascend")
    require(book[0] == -1 and book[7] == 0 and book[15] == 1, f"-1, 0 and 1 are not at their places: {book}")
    outermost = NormalDist().inv_cdf((1 - 1 / 30 + 1 - 1 / 32) / 2)
    for side in (book[7:], book[:8]):
        mass = [NormalDist().cdf(value * outermost) for value in side]
        steps = [b - a for a, b in pairwise(mass)]
        require(
            max(steps) - min(steps) < 1e-9, f"unequal mass between neighbours: {min(steps):.4f} to {max(steps):.4f}"
        )


@claim(
    "NF4 的误差逐块有界：不超过块内最大值乘半个最宽码距，再加双重量化的半步。",
    "NF4's error is bounded block by block: half the widest code gap times the block's maximum, plus "
    "half a step of the "
    "double quantisation.",
    shape=SHAPES,
    seed=SEEDS,
    spread=st.booleans(),
)
def nf4_error_is_bounded_per_block(
    implementation: Implementation, shape: tuple[int, int], seed: int, spread: bool
) -> None:
    weight = _weight(shape, seed, spread)
    packed = implementation.nf4.quantise(weight)
    back = implementation.nf4.dequantise(packed, tuple(weight.shape), torch.float32).double()
    # the widest gap of the published code book, from its definition: between -1 and the next quantile
    outermost = (1 - 1 / 30 + 1 - 1 / 32) / 2
    gap = 1 - NormalDist().inv_cdf(0.5 + (outermost - 0.5) * 6 / 7) / NormalDist().inv_cdf(outermost)
    blocks = weight.double().view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1)
    centred = scales - scales.mean()
    steps = torch.stack([group.abs().max() for group in centred.split(GROUP)]) / 127
    half_step = steps.repeat_interleave(GROUP)[: len(scales)] / 2
    bound = (scales * gap / 2 + half_step) * (1 + 1e-5) + 1e-6 * scales.max()
    require_within(back.view(-1, BLOCK), blocks, bound[:, None].expand_as(blocks), "dequantised weight, block by block")


@claim(
    "双重量化后每个值 4.127 比特：4 + 8/64 + 32/(64·256)，另加一个全局均值。",
    "With double quantisation a value takes 4.127 bits: 4 + 8/64 + 32/(64·256), plus one global mean.",
    groups=st.integers(1, 4),
)
def nf4_takes_four_and_an_eighth_bits(implementation: Implementation, groups: int) -> None:
    layer = implementation.nf4.NF4Linear(nn.Linear(BLOCK, GROUP * groups, bias=False))
    values = BLOCK * GROUP * groups
    expected = 4 + 8 / BLOCK + 32 / (BLOCK * GROUP) + 32 / values
    require(
        abs(layer.bits_per_value() - expected) < 1e-12, f"{layer.bits_per_value()} bits, the formula says {expected}"
    )
    require(round(expected - 32 / values, 3) == 4.127, "the formula does not give 4.127")


@claim(
    "码本上的值、尺度相同的块，量化后原样回来；零还是零。",
    "Values on the code book in blocks of equal scale come back unchanged; zero stays zero.",
    shape=SHAPES,
    seed=SEEDS,
    scale=st.sampled_from([0.01, 1.0, 3.0]),
)
def nf4_keeps_values_on_the_book(
    implementation: Implementation, shape: tuple[int, int], seed: int, scale: float
) -> None:
    book = torch.tensor(implementation.nf4.code_book()) * scale
    index = torch.randint(0, 16, (shape[0] * shape[1] // BLOCK, BLOCK), generator=torch.Generator().manual_seed(seed))
    index[:, 0] = 15
    weight = book[index].view(shape)
    back = implementation.nf4.dequantise(implementation.nf4.quantise(weight), shape, torch.float32)
    require_close(back, weight, "values on the code book", roundings=20)
    require_equal(back[weight == 0], weight[weight == 0], "zeros")


@claim(
    "QLoRA 的输入梯度要用反量化后的权重：∂L/∂x = GŴ + s·GBA，不是原来的 W，也不能省。",
    "QLoRA's input gradient needs the dequantised weight: ∂L/∂x = GŴ + s·GBA, neither the original W nor nothing.",
    shape=SHAPES,
    seed=SEEDS,
    r=st.integers(1, 8),
)
def qlora_input_gradient_needs_the_dequantised_weight(
    implementation: Implementation, shape: tuple[int, int], seed: int, r: int
) -> None:
    d_out, d_in = shape
    linear = nn.Linear(d_in, d_out)
    linear.weight.data.copy_(_weight(shape, seed, spread=False))
    model = nn.Sequential(linear)
    implementation.qlora.apply_qlora(model, "all", r=r, alpha=2 * r)
    layer: Any = model[0]
    randomise(layer.lora_B, seed)
    x, upstream = torch.randn(3, d_in, requires_grad=True), torch.randn(3, d_out)
    model(x).backward(upstream)
    update = upstream @ (2 * layer.lora_B @ layer.lora_A)
    seen = layer.base.dequantised()
    got: Any = x.grad
    require(got is not None, "the input got no gradient")
    require_close(
        got, (upstream @ seen + update).detach(), "input gradient through the dequantised weight", roundings=5_000
    )
    quantised = (upstream @ (seen - linear.weight)).abs().max()
    require(bool(quantised > 1e-3), "quantising changed nothing: the test could not tell the two weights apart")
    require(not seen.requires_grad, "the packed weight would be trained")


@claim(
    "QLoRA 前向就是反量化权重的线性层加 LoRA；往量化的底座里合并会被拒绝。",
    "QLoRA's forward pass is the dequantised linear layer plus LoRA; merging into the packed base is refused.",
    shape=SHAPES,
    seed=SEEDS,
)
def qlora_runs_on_the_dequantised_weight(implementation: Implementation, shape: tuple[int, int], seed: int) -> None:
    d_out, d_in = shape
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(d_in, d_out))
    implementation.qlora.apply_qlora(model, "all", r=2, alpha=4)
    layer: Any = model[0]
    randomise(layer.lora_B, seed)
    x = torch.randn(3, d_in)
    plain = implementation.nf4.to_linear(layer.base)
    expected = plain(x) + x @ (2 * layer.lora_B @ layer.lora_A).T
    require_close(model(x), expected.detach(), "QLoRA's output", roundings=2_000)
    try:
        implementation.merging.merge(model)
    except implementation.errors.MergeRefused:
        return
    raise AssertionError("merging into a packed base was accepted")
