"""AdaLoRA: the update in SVD form, and a budget of singular values that goes where they matter.

    y = W x + b + s · P Λ Q dropout(x),    P [d_out, r], Λ = diag(λ) [r], Q [r, d_in],    s = α / r
    loss += γ Σ ‖PᵀP - I‖² + ‖QQᵀ - I‖²        keeps P and Q near orthogonal, so that λ are singular values

    sensitivity  I = |w · ∂L/∂w|,   Ī = β₁ Ī + (1 - β₁) I,   Ū = β₂ Ū + (1 - β₂) |I - Ī|,   s(w) = Ī · Ū
    importance of triplet i:  S_i = s(λ_i) + mean_j s(P_ji) + mean_j s(Q_ij)
    budget       b(t) = b_T + (b_0 - b_T)(1 - (t - t_i) / (T - t_i - t_f))³;  the λ outside the b(t) best become zero

Source: Zhang et al. 2023, AdaLoRA, arXiv:2303.10512, equations 3-4, 7-12 and algorithm 1.
λ starts at zero, so that the first output is the base's. Known limits: a pruned λ is only set to zero, its triplet
stays trained and may come back; memory does not shrink while training.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import check_settings
from lora_demo.methods.module import LinearAdapter, adapter_placement, frozen_weight, wide


class AdaLoRALinear(LinearAdapter):
    """A linear layer `base` with one update in SVD form; arguments as in LoRALinear."""

    adapter_parameter_names = ("left", "values", "right")

    def __init__(
        self, base: nn.Module, r: int, alpha: int | float, dropout: int | float = 0.0, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(base)
        check_settings(r, alpha, dropout, self.in_features, self.out_features)
        self.r, self.alpha, self.scale = r, alpha, alpha / r
        self.dropout = nn.Dropout(dropout)
        device, dtype = adapter_placement(base, dtype)
        self.left = nn.Parameter(torch.randn(self.out_features, r, device=device, dtype=dtype) * 0.02)
        self.values = nn.Parameter(torch.zeros(r, device=device, dtype=dtype))
        self.right = nn.Parameter(torch.randn(r, self.in_features, device=device, dtype=dtype) * 0.02)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        y = self.base(x)
        if self.bypassed:
            return y
        hidden = F.linear(self.dropout(x.to(self.right.dtype)), self.right) * (self.values * self.scale)
        return y + F.linear(hidden, self.left).to(y.dtype)

    @torch.no_grad()
    def delta(self) -> Float[Tensor, "d_out d_in"]:
        return (wide(self.left) * wide(self.values)) @ wide(self.right) * self.scale

    def folded(self) -> dict[str, Tensor]:
        weight = frozen_weight(self.base)
        return {"weight": (wide(weight) + self.delta()).to(weight.dtype)}

    def unfolded(self) -> dict[str, Tensor]:
        weight = frozen_weight(self.base)
        return {"weight": (wide(weight) - self.delta()).to(weight.dtype)}

    def orthogonality(self) -> Float[Tensor, ""]:
        """‖PᵀP - I‖² + ‖QQᵀ - I‖², to be added to the loss with a small weight."""
        unit = torch.eye(self.r, device=self.left.device, dtype=self.left.dtype)
        left, right = self.left.T @ self.left, self.right @ self.right.T
        return (left - unit).square().sum() + (right - unit).square().sum()


class RankAllocator:
    """Spends a shrinking budget of singular values over all layers.

    final_rank   average rank per layer at the end (b_T = final_rank · layers)
    warmup, settle, total   t_i, t_f, T in optimizer steps: full budget before t_i, final budget after T - t_f
    """

    def __init__(
        self,
        layers: Sequence[AdaLoRALinear],
        *,
        final_rank: int | float,
        warmup: int,
        settle: int,
        total: int,
        beta1: float = 0.85,
        beta2: float = 0.85,
    ) -> None:
        if not (warmup >= 0 and settle >= 0 and warmup + settle < total):
            raise MethodError(f"warmup {warmup} + settle {settle} must leave steps to prune in out of {total}")
        self.layers, self.beta1, self.beta2 = list(layers), beta1, beta2
        self.start, self.final = sum(layer.r for layer in layers), round(final_rank * len(layers))
        if not 0 < self.final <= self.start:
            raise MethodError(f"final_rank={final_rank}: the final budget {self.final} must lie in 1..{self.start}")
        self.warmup, self.settle, self.total = warmup, settle, total
        self.sensitivity = {p: torch.zeros_like(p) for layer in layers for p in (layer.left, layer.values, layer.right)}
        self.uncertainty = {p: torch.zeros_like(p) for p in self.sensitivity}

    def budget(self, step: int) -> int:
        """b(t), a cubic descent from the initial to the final number of singular values."""
        pruning = self.total - self.warmup - self.settle
        left = 1 - min(max(step - self.warmup, 0) / pruning, 1)
        return round(self.final + (self.start - self.final) * left**3)

    @torch.no_grad()
    def step(self, step: int) -> int:
        """After `optimizer.step()`, before the gradients are cleared: update importances, zero the rest. -> b(t)."""
        for parameter, smooth in self.sensitivity.items():
            if parameter.grad is None:
                raise MethodError("AdaLoRA's importance needs gradients: call step() before zero_grad()")
            now = (parameter * parameter.grad).abs()
            smooth.lerp_(now, 1 - self.beta1)
            self.uncertainty[parameter].lerp_((now - smooth).abs(), 1 - self.beta2)
        budget = self.budget(step)
        if budget < self.start:
            scores = [self.importance(layer) for layer in self.layers]
            keep = torch.zeros(self.start, dtype=torch.bool, device=scores[0].device)
            keep[torch.cat(scores).topk(budget).indices] = True
            for layer, kept in zip(self.layers, keep.split([layer.r for layer in self.layers]), strict=True):
                layer.values.mul_(kept)
        return budget

    def importance(self, layer: AdaLoRALinear) -> Float[Tensor, " r"]:
        """S_i per triplet: its value's score plus the mean scores of its two vectors."""
        triplet = (layer.left, layer.values, layer.right)
        left, values, right = (self.sensitivity[p] * self.uncertainty[p] for p in triplet)
        return values + left.mean(dim=0) + right.mean(dim=1)


def apply_adalora(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    r: int,
    alpha: int | float,
    dropout: int | float = 0.0,
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Wrap the targets in AdaLoRA and freeze the rest; the training loop adds the regulariser and the allocator."""
    return surgery.wrap(model, targets, lambda base: AdaLoRALinear(base, r, alpha, dropout, dtype))
