"""How much of one update's directions another one shares.

    φ(A, B, i, j) = ‖U_A[:, :i]ᵀ U_B[:, :j]‖_F² / min(i, j)  in [0, 1]

U_A, U_B: right singular vectors of A and B, by falling singular value. 1: the smaller subspace lies inside the larger.
Source: Hu et al. 2021, LoRA, arXiv:2106.09685, section 7.2, equation 4.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import wide


def similarity(a: Float[Tensor, "r d"], b: Float[Tensor, "s d"], i: int, j: int) -> float:
    """φ of the first i directions of `a` and the first j of `b`; both act on inputs of the same width d."""
    if not (1 <= i <= min(a.shape) and 1 <= j <= min(b.shape)):
        raise MethodError(f"i={i}, j={j}: must lie in 1..{min(a.shape)} and 1..{min(b.shape)}, the ranks there are")
    left = torch.linalg.svd(wide(a), full_matrices=False).Vh[:i]
    right = torch.linalg.svd(wide(b), full_matrices=False).Vh[:j]
    return ((left @ right.T).square().sum() / min(i, j)).item()
