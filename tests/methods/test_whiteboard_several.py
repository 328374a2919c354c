"""Several adapters in one batch agree with a loop over rows, and with the package's bank."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lora_demo.methods.bank import LoRABank
from lora_demo.methods.whiteboard.several import serve

N, R, D_IN, D_OUT = 3, 4, 12, 10
WHICH = [[2, -1, 0, 2, 1], [-1, -1, -1, -1, -1], [0, 0, 0, 0, 0]]


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(N, R, D_IN, generator=generator)
    b = torch.randn(N, D_OUT, R, generator=generator)
    return nn.Linear(D_IN, D_OUT), a, b, torch.tensor([1.0, 2.0, 0.25]), torch.randn(5, 7, D_IN, generator=generator)


@pytest.mark.parametrize("which", WHICH, ids=str)
def test_each_row_as_if_it_were_alone(parts, which):
    base, a, b, scale, x = parts
    rows = [
        base(one) if k < 0 else base(one) + scale[k] * (one @ a[k].T @ b[k].T) for one, k in zip(x, which, strict=True)
    ]
    torch.testing.assert_close(
        serve(base, a, b, scale, x, torch.tensor(which)), torch.stack(rows), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("which", WHICH, ids=str)
def test_is_the_banks_mixed_batch(parts, which):
    base, a, b, scale, x = parts
    bank = LoRABank(copy.deepcopy(base))
    for k in range(N):
        bank.add(str(k), R, scale[k].item() * R)
        bank.lora_A[str(k)].data.copy_(a[k])
        bank.lora_B[str(k)].data.copy_(b[k])
    bank.rows = [None if k < 0 else str(k) for k in which]
    torch.testing.assert_close(serve(base, a, b, scale, x, torch.tensor(which)), bank(x), rtol=1e-4, atol=1e-4)


def test_an_empty_slot_reaches_no_row_but_its_own(parts):
    base, a, b, scale, x = parts
    clean = serve(base, a, b, scale, x, torch.tensor([0, -1, 1, -1, 0]))
    a[2] = float("nan")
    torch.testing.assert_close(serve(base, a, b, scale, x, torch.tensor([0, -1, 1, -1, 0])), clean)
    assert serve(base, a, b, scale, x, torch.tensor([0, -1, 2, -1, 0])).isnan().any(dim=(1, 2)).tolist() == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_keeps_the_type_of_the_base(parts):
    base, a, b, scale, x = (part.bfloat16() for part in parts)
    assert serve(base, a, b, scale, x, torch.tensor(WHICH[0])).dtype == torch.bfloat16
