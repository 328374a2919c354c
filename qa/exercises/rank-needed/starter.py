import torch
from torch import Tensor


def rank_needed(a: Tensor, b: Tensor, share: float = 0.99) -> int:  # a: [r, d_in], b: [d_out, r]
    """The least rank that keeps `share` of ‖BA‖²; 0 for an untrained adapter."""
    raise NotImplementedError
