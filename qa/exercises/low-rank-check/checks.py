"""Is the update low-rank, and is the weight? The checks build both matrices from spectra and factors they choose."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

SPECTRA = st.lists(st.integers(1, 9), min_size=1, max_size=4)
TOP = st.integers(1, 3)
D_OUT, D_IN = 8, 6


def with_spectrum(values):
    """A matrix with these singular values, and no others."""
    left, right = (torch.linalg.qr(torch.randn(d, len(values))).Q for d in (D_OUT, D_IN))
    return left * torch.tensor(values, dtype=torch.float32) @ right.T


def share(values, r):
    energy = sorted((value**2 for value in values), reverse=True)
    return sum(energy[:r]) / sum(energy)


def of_rank(k):
    """Whole numbers of rank exactly k: both factors hold an identity."""
    left = torch.cat([torch.eye(k), torch.randint(-3, 4, (D_OUT - k, k)).float()])
    return left @ torch.cat([torch.eye(k), torch.randint(-3, 4, (k, D_IN - k)).float()], dim=1)


def near(found, expected):
    return abs(float(found) - expected) < 1e-3


@given(r=TOP)
def check_gives_three_floats(answer, r):
    found = answer.low_rank_check(torch.randn(D_OUT, D_IN), torch.randn(D_OUT, D_IN), r)
    assert sorted(found) == ["matrix_rank", "update", "weight"], f"the keys are {sorted(found)}"
    other = {key: type(value).__name__ for key, value in found.items() if not isinstance(value, float)}
    assert not other, f"not plain floats: {other}"


@given(weight=SPECTRA, r=TOP)
def check_weight_is_the_share_of_the_weight_before(answer, weight, r):
    before = with_spectrum(weight)
    found = answer.low_rank_check(before, before + with_spectrum([9, 7, 5, 3]), r)["weight"]
    expected = share(weight, r)
    assert near(found, expected), f"of before, the top {r} hold {expected:.3f} of the energy, not {found:.3f}"


@given(update=SPECTRA, r=TOP)
def check_update_is_the_share_of_the_difference(answer, update, r):
    before = with_spectrum([9, 7, 5, 3])
    found = answer.low_rank_check(before, before + with_spectrum(update), r)["update"]
    expected = share(update, r)
    assert near(found, expected), f"of after − before, the top {r} hold {expected:.3f} of the energy, not {found:.3f}"


@given(k=st.integers(1, 5), r=TOP)
def check_matrix_rank_is_that_of_the_update(answer, k, r):
    before = torch.randint(-9, 10, (D_OUT, D_IN)).float()
    found = answer.low_rank_check(before, before + of_rank(k), r)["matrix_rank"]
    assert found == k, f"after − before has rank {k}, not {found}"


@given(r=TOP)
def check_no_change_gives_zeros(answer, r):
    before = torch.randn(D_OUT, D_IN)
    found = answer.low_rank_check(before, before.clone(), r)
    zeros = (found["update"], found["matrix_rank"])
    assert zeros == (0.0, 0.0), f"without any change update and matrix_rank are 0, not {zeros}"


@given(r=TOP)
def check_subtracts_in_float32(answer, r):
    odd = [2 * torch.randint(5, 11, (d, 1)).float() + 1 for d in (D_OUT, D_IN)]
    update = odd[0] @ odd[1].T  # odd, up to 441: above 256 bfloat16 holds no odd number, but both halves it does
    before = -(update / 2).floor()
    found = answer.low_rank_check(before.bfloat16(), (before + update).bfloat16(), r)["matrix_rank"]
    assert found == 1, f"both checkpoints are exact in bfloat16 and differ by rank 1, yet it says {found}"
