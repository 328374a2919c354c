from typing import Any

import torch
from torch import Tensor


class ChunkedLoss(torch.autograd.Function):
    """Σ_t −log softmax(W h_t)[y_t] without the whole logits: ChunkedLoss.apply(states, weight, targets, chunk).

    states [positions, width], weight [vocabulary, width] frozen, targets [positions], at most `chunk` rows at a time.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        raise NotImplementedError
