"""Which rank an adapter uses: the checks choose singular values and split the product into B and A in several ways."""

from __future__ import annotations

import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

VALUES = st.lists(st.integers(1, 9), min_size=1, max_size=4)
SHARES = st.sampled_from([0.5, 0.9, 0.99])
D_IN, D_OUT = 9, 7


def orthonormal(rows, columns):
    return torch.linalg.qr(torch.randn(rows, columns)).Q


def factors(values, sizes=(D_IN, D_OUT)):
    """A and B whose product has these singular values, and no others; neither factor shows them."""
    r, (d_in, d_out) = len(values), sizes
    mix = orthonormal(r, r) * torch.linspace(0.3, 3, r) @ orthonormal(r, r)
    b = orthonormal(d_out, r) @ torch.diag(torch.tensor(values, dtype=torch.float32)) @ mix
    return torch.linalg.solve(mix, orthonormal(d_in, r).T), b


def least_rank(values, share):
    """By hand; an example in which the share is hit all but exactly is left out."""
    energy = sorted((value**2 for value in values), reverse=True)
    kept = [sum(energy[: k + 1]) / sum(energy) for k in range(len(energy))]
    assume(all(abs(part - share) > 1e-3 for part in kept))
    return next(k + 1 for k, part in enumerate(kept) if part > share)


class Largest(TorchFunctionMode):
    """Remembers the largest tensor that comes out of any call to PyTorch."""

    values = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.values = max(self.values, tensor.numel())
        return out


@given(singular_values=VALUES, share=SHARES)
def check_is_the_least_rank_that_keeps_the_share(answer, singular_values, share):
    found, expected = answer.rank_needed(*factors(singular_values), share), least_rank(singular_values, share)
    assert found == expected, f"rank {expected} is the first to keep {share} of the energy, not {found}"


@given(largest=st.integers(3, 9))
def check_energy_is_the_square(answer, largest):
    share = largest**2 / (largest**2 + 2) - 0.02  # a little less than the first of three directions holds
    found = answer.rank_needed(*factors([largest, 1, 1]), share)
    assert found == 1, f"{largest}² of {largest}² + 1 + 1 is more than {share:.3f}: rank 1 is enough, not {found}"


@given(factor=st.sampled_from([0.01, 100.0]), share=SHARES)
def check_looks_at_the_product_only(answer, factor, share):
    a, b = factors([8, 4, 2, 1])
    stretch = torch.tensor([1.0, factor, 1.0, 1.0])  # B M and M⁻¹ A are the same update
    found, expected = answer.rank_needed(a / stretch[:, None], b * stretch, share), least_rank([8, 4, 2, 1], share)
    assert found == expected, f"the update B A needs rank {expected}; split otherwise into B and A it became {found}"


@given(r=st.integers(1, 4), zero=st.sampled_from(["b", "a and b"]))
def check_untrained_is_zero(answer, r, zero):
    a = torch.zeros(r, D_IN) if zero == "a and b" else torch.randn(r, D_IN)
    found = answer.rank_needed(a, torch.zeros(D_OUT, r))
    assert found == 0, f"B A is zero and needs rank 0, not {found}"


@given(singular_values=VALUES)
def check_never_forms_anything_as_large_as_the_product(answer, singular_values):
    a, b = factors(singular_values, sizes=(90, 70))
    with Largest() as largest:
        answer.rank_needed(a, b)
    assert largest.values < 70 * 70, f"a tensor of {largest.values} values came up; B A has 70 · 90, A only r · 90"


@given(singular_values=VALUES, share=SHARES)
def check_takes_bfloat16_and_gives_an_int(answer, singular_values, share):
    a, b = (factor.bfloat16() for factor in factors(singular_values))
    spectrum = torch.linalg.svdvals(b.double() @ a.double()).tolist()[: len(singular_values)]
    found, expected = answer.rank_needed(a, b, share), least_rank(spectrum, share)
    same = isinstance(found, int) and found == expected
    assert same, f"for factors in bfloat16 it gives {found!r}, not the int {expected}"
