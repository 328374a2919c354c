import torch
from torch import Tensor


def low_rank_check(before: Tensor, after: Tensor, r: int) -> dict[str, float]:  # both: [d_out, d_in]
    """{"weight", "update"}: the share of energy in the top r directions; "matrix_rank": the update's plain rank."""
    raise NotImplementedError
