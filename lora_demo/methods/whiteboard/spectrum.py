"""Which rank an update really has: from its factors, and from two checkpoints.

Both rest on Eckart-Young-Mirsky: the top r singular values hold all that any matrix of rank r can keep.
Known limits: energy says what a truncation loses in the weight, not what it loses in the loss.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rank_needed(a: Float[Tensor, "r d_in"], b: Float[Tensor, "d_out r"], share: float = 0.99) -> int:
    """The least rank that keeps `share` of ‖BA‖²; 0 for an untrained adapter."""
    # BA = Q_B (R_B R_Aᵀ) Q_Aᵀ with orthonormal Q: the r x r matrix in the middle has BA's singular values
    r_b, r_a = torch.linalg.qr(b.float()).R, torch.linalg.qr(a.float().T).R
    energy = torch.linalg.svdvals(r_b @ r_a.T).square()
    if energy.sum() == 0:
        return 0
    kept = energy.cumsum(0) / energy.sum()
    return min(int((kept < share).sum()) + 1, len(energy))


def low_rank_check(before: Float[Tensor, "d_out d_in"], after: Float[Tensor, "d_out d_in"], r: int) -> dict[str, float]:
    """How much of the weight's and of the update's energy the top r directions hold, and the update's plain rank."""
    weight, update = before.float(), after.float() - before.float()
    found = {}
    for name, matrix in (("weight", weight), ("update", update)):
        energy = torch.linalg.svdvals(matrix).square()
        found[name] = (energy[:r].sum() / energy.sum().clamp_min(1e-30)).item()
    found["matrix_rank"] = float(torch.linalg.matrix_rank(update))  # bf16 rounding alone makes this full
    return found
