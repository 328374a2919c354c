"""What NF4 must do; the code book and the packing are computed here again, from PyTorch's own normal quantiles."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

BLOCKS = st.integers(1, 3)
SIZES = st.sampled_from([2, 4, 8, 64])
SPREADS = st.sampled_from([1.0, 100.0, 1e-4])
CODES = st.lists(st.integers(0, 15), min_size=8, max_size=8)


def book():
    edge = (1 - 1 / 30 + 1 - 1 / 32) / 2
    above = torch.special.ndtri(torch.linspace(0.5, edge, 9, dtype=torch.float64))
    below = torch.special.ndtri(torch.linspace(0.5, edge, 8, dtype=torch.float64))
    return (torch.cat([-below[1:].flip(0), above]) / above[-1]).float()


def packed(codes):
    pairs = torch.tensor(codes).view(-1, 2)
    return (pairs[:, 0] * 16 + pairs[:, 1]).to(torch.uint8)


def unpacked(found):
    return torch.stack([found // 16, found % 16], dim=1).flatten().long()


def exact(codes, scale, block):
    """A weight that NF4 holds without error: the first value of each block is its largest."""
    codes = torch.tensor(codes).view(-1, block)
    codes[:, 0] = 15
    return codes.flatten().tolist(), (book()[codes] * scale).flatten()


@given(st.just(16))
def check_sixteen_levels_from_minus_one_to_one(answer, count):
    found = answer.levels()
    assert found.shape == (count,), f"levels() has the shape {tuple(found.shape)}"
    assert (found.diff() > 0).all(), "the levels do not ascend"
    ends = abs(found[0] + 1) < 1e-6 and abs(found[-1] - 1) < 1e-6
    assert ends, f"the levels run from {found[0]:.4f} to {found[-1]:.4f}"
    assert found[7] == 0, f"code 7 is {found[7]:.4f} and not an exact zero"


@given(code=st.integers(0, 15))
def check_levels_are_normal_quantiles(answer, code):
    found, expected = answer.levels()[code].item(), book()[code].item()
    assert abs(found - expected) < 1e-5, f"code {code} is {found:.4f}, its quantile {expected:.4f}"


@given(blocks=BLOCKS, block=SIZES)
def check_half_a_byte_per_value_and_one_scale_per_block(answer, blocks, block):
    found, scale = answer.quantise(torch.randn(blocks, block), block)
    assert found.dtype == torch.uint8, f"the codes have the type {found.dtype}"
    assert found.shape == (blocks * block // 2,), f"{blocks * block} values became the shape {tuple(found.shape)}"
    assert scale.shape == (blocks, 1), f"the scales have the shape {tuple(scale.shape)}, expected {(blocks, 1)}"


@given(blocks=BLOCKS, block=SIZES, spread=SPREADS)
def check_scale_is_the_largest_magnitude_of_its_block(answer, blocks, block, spread):
    weight = torch.randn(blocks, block) * spread
    _, scale = answer.quantise(weight, block)
    expected = torch.stack([row.abs().max() for row in weight])
    torch.testing.assert_close(scale.flatten().float(), expected, rtol=1e-5, atol=0, msg="not max |w| of each block")


@given(codes=CODES, block=st.sampled_from([2, 4]))
def check_earlier_value_in_the_high_bits(answer, codes, block):
    codes, weight = exact(codes, 3.0, block)
    found, _ = answer.quantise(weight, block)
    assert found.tolist() == packed(codes).tolist(), f"codes {codes} came out as {unpacked(found).tolist()}"


@given(blocks=BLOCKS, block=SIZES, spread=SPREADS)
def check_takes_the_nearest_level(answer, blocks, block, spread):
    weight = torch.randn(blocks, block) * spread
    found, _ = answer.quantise(weight, block)
    parts = (weight / weight.abs().amax(dim=1, keepdim=True)).flatten()
    error = (book()[unpacked(found)] - parts).abs()
    best = (book() - parts[:, None]).abs().amin(dim=1)
    worst = int((error - best).argmax())
    close = bool((error <= best + 1e-5).all())
    assert close, f"w / scale = {parts[worst]:.4f} became level {book()[unpacked(found)][worst]:.4f}"


@given(block=SIZES)
def check_a_block_of_zeros_stays_zero(answer, block):
    weight = torch.zeros(2, block)
    weight[1] = 1.0
    found, scale = answer.quantise(weight, block)
    assert scale.isfinite().all(), "the scale of a block of zeros is not finite"
    codes = unpacked(found)[:block].tolist()
    assert set(codes) == {7}, f"zeros got the codes {sorted(set(codes))}, expected 7"
    assert not answer.dequantise(found, scale, (2, block))[0].any(), "zeros do not come back as zeros"


@given(codes=CODES, scales=st.lists(st.sampled_from([1.0, 0.5, 8.0]), min_size=2, max_size=2))
def check_dequantise_reads_what_was_packed(answer, codes, scales):
    scale = torch.tensor(scales).view(2, 1)
    expected = (book()[torch.tensor(codes).view(2, 4)] * scale).view(4, 2)
    found = answer.dequantise(packed(codes), scale, (4, 2))
    assert found.shape == (4, 2), f"asked for (4, 2), got {tuple(found.shape)}"
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-5, msg="not scale · level[code] in order")
