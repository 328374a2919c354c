"""bfloat16 products on a CPU without bfloat16 units: rounded once, in both directions, whatever the CPU can do."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lora_demo.models import wide_products
from lora_demo.models.wide_products import WIDENED, WideProducts, wide_where_needed

CALLS = {
    "product": lambda x, w: F.linear(x, w),
    "product with bias": lambda x, w: F.linear(x, w, w[:, 0].contiguous()),
    "batched product": lambda x, w: torch.bmm(x.expand(2, -1, -1), w.T.expand(2, -1, -1)),
    "batched product with sum": lambda x, w: torch.baddbmm(x[:1, :1, None], x[None], w.T[None]),
    "convolution": lambda x, w: F.conv2d(x.view(1, 2, 8, 8), w[:, :8].reshape(-1, 1, 2, 2)[:4], groups=2),
    "attention": lambda x, w: F.scaled_dot_product_attention(
        *(part.view(1, 2, 4, 16) for part in (x, w[:8], x * 0.5)), is_causal=True
    ),
}


class Seen(TorchDispatchMode):
    """dtypes of the tensors that reach the kernels of products."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: dict[object, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in WIDENED:
            used = {a.dtype for a in args if isinstance(a, Tensor)}
            self.dtypes[func] = self.dtypes.get(func, set()) | used
        return func(*args, **(kwargs or {}))


def outcome(call, dtype: torch.dtype, context) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(8, 16, generator=generator), torch.randn(12, 16, generator=generator)]
    x, w = (value.bfloat16().to(dtype).requires_grad_() for value in values)
    with context:
        y = call(x, w)
        y.backward(torch.ones_like(y))
    return [y.detach(), x.grad, w.grad]


@pytest.mark.parametrize("name", CALLS)
def test_a_product_is_the_float32_product_rounded_once(name):
    seen = Seen()
    with seen:
        ours = outcome(CALLS[name], torch.bfloat16, WideProducts())
    assert seen.dtypes, "no product ran"
    assert all(dtypes == {torch.float32} for dtypes in seen.dtypes.values())
    exact = outcome(CALLS[name], torch.float32, nullcontext())
    for one, other in zip(ours, exact, strict=True):
        assert one.dtype == torch.bfloat16
        # Half a unit in the last of 8 bits per rounding. Attention has four on its way back: its own rounded output, a
        # gradient for each use of x, and their sum.
        assert (one.float() - other).abs().max() <= 4 * 2**-9 * other.abs().max()


def test_what_is_no_product_or_no_bfloat16_passes_through():
    with Seen() as seen, WideProducts():
        assert (torch.ones(2, dtype=torch.bfloat16) + 1).dtype == torch.bfloat16
        assert (torch.eye(2) @ torch.eye(2)).dtype == torch.float32
    assert list(seen.dtypes.values()) == [{torch.float32}]


@pytest.mark.parametrize(
    ("device", "bfloat16", "units", "wide"),
    [
        ("cpu", True, False, True),
        ("cpu", True, True, False),
        ("cpu", False, False, False),
        ("cuda", True, False, False),
    ],
)
def test_only_where_needed(device, bfloat16, units, wide, monkeypatch):
    monkeypatch.setattr(wide_products, "has_bfloat16_units", lambda: units)
    chosen = wide_where_needed(torch.device(device), bfloat16=bfloat16)
    assert isinstance(chosen, WideProducts) == wide
