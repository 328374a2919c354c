"""Next-token cross-entropy straight from hidden states, a few positions at a time: the logits never exist as a whole.

    loss       = sum_p  log sum_v exp(h_p . w_v) - h_p . w_target(p)
    d loss/dh  = (softmax(h W^T) - onehot(target)) W,        d loss/dW = (softmax(h W^T) - onehot(target))^T h

Both gradients are known as soon as the logits are, so they are formed in the forward pass and only scaled in the
backward pass: no logits are kept, none computed twice. Peak beside hidden states and gradients: `chunk` rows of the
vocabulary, once in the weight's dtype and once in float32, instead of as many rows as there are positions.

Source of the idea: Hsu et al. 2024, Liger Kernel, arXiv:2410.10989, section 3.2; Wijmans et al. 2024, Cut Your Losses,
arXiv:2411.09009. Their libraries (liger-kernel, cut-cross-entropy) are Triton kernels, which no CPU runs. PyTorch's own
`torch.nn.functional.linear_cross_entropy` (2.13) computes the same and is the kernel "torch" here.
Known limits: where the head is trained, its gradient is a sum of one product per chunk in the weight's dtype, so in
bfloat16 it is rounded once per chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Kernel = Literal["own", "torch"]


def chunked_next_token_loss(
    hidden: Float[Tensor, "positions width"],
    head: nn.Module,
    targets: Int[Tensor, " positions"],
    denominator: float | int | Tensor | None = None,
    *,
    chunk: int,
    kernel: Kernel = "own",
) -> Float[Tensor, ""]:
    """`loss.next_token_loss(head(hidden), targets, denominator)`, `chunk` positions at a time.

    kernel  the code below, or PyTorch's own where the version has it (`has_torch_kernel`)
    Raises ValueError for a head that is no plain linear layer without bias: an adapter on it would be left out.
    """
    if not isinstance(head, nn.Linear) or head.bias is not None:
        raise ValueError(
            f"a chunked loss reads the output head's weight, and {type(head).__name__} is more than a weight: "
            "leave loss_chunk out, or take the adapter or bias off the head"
        )
    if chunk < 1:
        raise ValueError(f"loss_chunk={chunk}: must be at least 1")
    weight: Tensor = head.weight
    if not torch.is_grad_enabled():
        hidden, weight = hidden.detach(), weight.detach()
    total = _by_torch(hidden, weight, targets, chunk) if kernel == "torch" else _own(hidden, weight, targets, chunk)
    return total / (targets.numel() if denominator is None else denominator)


def has_torch_kernel() -> bool:
    """Whether this PyTorch has `linear_cross_entropy`."""
    return hasattr(F, "linear_cross_entropy")


def _own(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
    return _SummedLoss.apply(hidden, weight, targets, chunk)


def _by_torch(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=chunk, chunking_method=None)
    return F.linear_cross_entropy(hidden, weight, targets, reduction="sum", options=options).float()


@contextmanager
def headless(head: nn.Module) -> Iterator[None]:
    """Within, the output head passes hidden states through, so that a whole model's call yields them as its logits."""
    if "forward" in vars(head):
        raise ValueError(f"{type(head).__name__} has a forward of its own already; headless() does not nest")
    head.forward = lambda hidden: hidden  # instance attribute: hides the class's method
    try:
        yield
    finally:
        del head.forward


class _SummedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        into_hidden, into_weight = ctx.needs_input_grad[:2]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if into_hidden else None
        grad_weight = torch.zeros_like(weight) if into_weight else None
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            loss, gradient = _loss_and_gradient(hidden[part], weight, targets[part])
            total += loss
            if grad_hidden is not None:
                grad_hidden[part] = gradient @ weight
            if grad_weight is not None:
                grad_weight += gradient.T @ hidden[part]
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # In place: nobody else holds these, and the head's may be a gigabyte.
        scaled = (None if saved is None else saved.mul_(grads[0]) for saved in ctx.saved_tensors)
        return (*scaled, None, None)


def _loss_and_gradient(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Summed loss and its gradient with respect to the logits, with one float32 copy of them."""
    logits = F.linear(hidden, weight)
    dtype, scores = logits.dtype, logits.float()
    del logits
    chosen = scores.gather(1, targets[:, None])
    highest = scores.amax(dim=1, keepdim=True)
    shares = scores.sub_(highest).exp_()
    total = shares.sum(dim=1, keepdim=True)
    loss = (total.log() + highest - chosen).sum()
    shares.div_(total).scatter_add_(1, targets[:, None], torch.full_like(chosen, -1.0))
    return loss, shares.to(dtype)
