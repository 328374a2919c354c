"""Cross-entropy without the whole logits, as on a whiteboard: one chunk of positions at a time.

    loss = Σ_t −log softmax(W h_t)[y_t],      ∂loss/∂h_t = Wᵀ (softmax(W h_t) − onehot(y_t))

The gradient of h needs nothing that the forward pass does not have, so it is computed there and only [positions, width]
is kept. Known limits: W is frozen, as it is under LoRA; one that trains needs its own gradient added up chunk by chunk.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class ChunkedLoss(torch.autograd.Function):
    """states [positions, width], weight [vocabulary, width] frozen, targets [positions] -> summed loss."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        grad = torch.empty_like(states)
        loss = states.new_zeros((), dtype=torch.float32)
        for part in torch.arange(len(targets), device=targets.device).split(chunk):
            logits = (states[part] @ weight.T).float()  # the only ones alive
            loss += F.cross_entropy(logits, targets[part], reduction="sum")
            off = logits.softmax(dim=-1)
            off[torch.arange(len(part)), targets[part]] -= 1
            grad[part] = off.to(weight.dtype) @ weight
        ctx.save_for_backward(grad)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grads[0].to(grad.dtype) * grad, None, None, None
