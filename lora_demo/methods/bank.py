"""One linear layer with several LoRA adapters: named, summed with weights, or one per row of a batch.

    one mixture for all:   y = W x + b + Σ_k w_k s_k B_k A_k x
    one adapter per row:   y_i = W x_i + b + s_k(i) B_k(i) A_k(i) x_i,     k(i) = None: the base alone

A sum of k adapters of rank r is one adapter of rank <= kr: [w_1 s_1 B_1 … w_k s_k B_k] [A_1; …; A_k].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import check_settings
from lora_demo.methods.module import LinearAdapter, adapter_placement, frozen_weight, wide


class LoRABank(LinearAdapter):
    """A linear layer `base` with any number of named LoRA adapters. Add with `add`, choose with `weights` or `rows`."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__(base)
        self.lora_A, self.lora_B = nn.ParameterDict(), nn.ParameterDict()
        self.scales: dict[str, float] = {}
        self.weights: dict[str, float] = {}
        self.rows: Sequence[str | None] | None = None
        self.folded_weights: dict[str, float] = {}

    def add(
        self, name: str, r: int, alpha: int | float, rslora: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        """A new adapter, started like LoRALinear's; it becomes the only active one."""
        check_settings(r, alpha, 0.0, self.in_features, self.out_features)
        if name in self.scales or not name or "." in name:
            raise MethodError(f"adapter name {name!r}: must be new here, not empty and without a dot")
        device, dtype = adapter_placement(self.base, dtype)
        self.lora_A[name] = nn.Parameter(torch.empty(r, self.in_features, device=device, dtype=dtype))
        self.lora_B[name] = nn.Parameter(torch.zeros(self.out_features, r, device=device, dtype=dtype))
        nn.init.kaiming_uniform_(self.lora_A[name], a=math.sqrt(5))
        self.scales[name] = alpha / math.sqrt(r) if rslora else alpha / r
        self.adapter_parameter_names = tuple(f"{part}.{name}" for name in self.scales for part in ("lora_A", "lora_B"))
        self.weights = {name: 1.0}

    def forward(self, x: Float[Tensor, "batch *rest d_in"]) -> Float[Tensor, "batch *rest d_out"]:
        y = self.base(x)
        if self.bypassed:
            return y
        if self.rows is None:
            return sum((weight * self.update(name, x) for name, weight in self.weights.items()), y)
        if len(self.rows) != x.shape[0]:
            raise MethodError(f"{len(self.rows)} adapter names for a batch of {x.shape[0]} rows: give one per row")
        for name in dict.fromkeys(name for name in self.rows if name is not None):
            index = torch.tensor([i for i, row in enumerate(self.rows) if row == name], device=x.device)
            y = y.index_add(0, index, self.update(name, x[index]).to(y.dtype))
        return y

    def update(self, name: str, x: Float[Tensor, "batch *rest d_in"]) -> Float[Tensor, "batch *rest d_out"]:
        """s B A x of one adapter, in the dtype of x."""
        hidden = F.linear(x.to(self.lora_A[name].dtype), self.lora_A[name]) * self.scales[name]
        return F.linear(hidden, self.lora_B[name]).to(x.dtype)

    @torch.no_grad()
    def concatenated(self, weights: Mapping[str, float]) -> tuple[Float[Tensor, "d_out kr"], Float[Tensor, "kr d_in"]]:
        """(B, A) of the one adapter, of scale 1, that equals the weighted sum."""
        left = [wide(self.lora_B[name]) * (weight * self.scales[name]) for name, weight in weights.items()]
        return torch.cat(left, dim=1), torch.cat([wide(self.lora_A[name]) for name in weights])

    def merge(self) -> None:
        """Fold the active mixture. What was folded is remembered, so that `unmerge` takes out the same."""
        if self.rows is not None or not self.weights:
            raise MethodError("a mixed batch has no single weight to merge, nor has an empty mixture: choose one first")
        super().merge()
        self.folded_weights = dict(self.weights)

    def folded(self) -> dict[str, Tensor]:
        return self._shifted(+1, self.weights)

    def unfolded(self) -> dict[str, Tensor]:
        return self._shifted(-1, self.folded_weights)

    def _shifted(self, sign: int, weights: Mapping[str, float]) -> dict[str, Tensor]:
        weight, (left, right) = frozen_weight(self.base), self.concatenated(weights)
        return {"weight": (wide(weight) + sign * left @ right).to(weight.dtype)}
