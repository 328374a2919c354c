"""DoRA: the update changes a weight's direction, a trained vector its length.

    V = W + s · B A,     W' = m · V / ‖V‖,     y = W' x + b

    m [d_out] trained, starts at the row norms of W. Rows of torch's [d_out, d_in] weight are what the paper calls
    columns: one norm per output. ‖V‖ is held constant in the backward pass (section 4.3), which saves memory.

Source: Liu et al. 2024, DoRA, arXiv:2402.09353, equation 5.
Known limits: V is formed in every forward pass, so training is slower than LoRA's. Dropout acts on the input of A
only; PEFT drops the input of the direction part of W as well, so the two agree with dropout 0 or in eval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MergeRefused
from lora_demo.methods.lora import check_settings
from lora_demo.methods.module import LinearAdapter, adapter_placement, frozen_weight, wide


class DoRALinear(LinearAdapter):
    """A linear layer `base` with one DoRA adapter; arguments as in LoRALinear."""

    adapter_parameter_names = ("lora_A", "lora_B", "magnitude")
    merged_norm: Tensor | None = None

    def __init__(
        self,
        base: nn.Module,
        r: int,
        alpha: int | float,
        dropout: int | float = 0.0,
        rslora: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(base)
        check_settings(r, alpha, dropout, self.in_features, self.out_features)
        self.r, self.alpha, self.rslora = r, alpha, rslora
        self.scale = alpha / math.sqrt(r) if rslora else alpha / r
        self.dropout = nn.Dropout(dropout)
        device, dtype = adapter_placement(base, dtype)
        self.lora_A = nn.Parameter(torch.empty(r, self.in_features, device=device, dtype=dtype))
        self.lora_B = nn.Parameter(torch.zeros(self.out_features, r, device=device, dtype=dtype))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.magnitude = nn.Parameter(self.norm().to(dtype))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        y = self.base(x)
        if self.bypassed:
            return y
        gain = self.magnitude / self.norm()
        hidden = F.linear(self.dropout(x.to(self.lora_A.dtype)), self.lora_A) * self.scale
        update = gain * F.linear(hidden, self.lora_B)
        # gain · (Wx + update) + b, without forming W' and without touching the bias
        bias = getattr(self.base, "bias", None)
        without_bias = y if bias is None else y - bias
        return y + ((gain - 1) * without_bias + update).to(y.dtype)

    @torch.no_grad()
    def norm(self) -> Float[Tensor, " d_out"]:
        """‖W + sBA‖ per output, a constant to autograd."""
        return torch.linalg.vector_norm(self.direction(), dim=1)

    @torch.no_grad()
    def direction(self) -> Float[Tensor, "d_out d_in"]:
        """V = W + sBA in float32 or wider."""
        return wide(frozen_weight(self.base)) + self.delta()

    @torch.no_grad()
    def delta(self) -> Float[Tensor, "d_out d_in"]:
        return wide(self.lora_B) @ wide(self.lora_A) * self.scale

    @torch.no_grad()
    def folded(self) -> dict[str, Tensor]:
        gain = wide(self.magnitude) / self.norm()
        return {"weight": (gain[:, None] * self.direction()).to(frozen_weight(self.base).dtype)}

    def merge(self) -> None:
        # the merged rows have norm m: ‖V‖ cannot be read off them, so it is kept for the way back
        norm = None if self.merged else self.norm()
        super().merge()
        self.merged_norm = norm

    @torch.no_grad()
    def unfolded(self) -> dict[str, Tensor]:
        if self.merged_norm is None or not self.magnitude.all():
            raise MergeRefused("a magnitude of zero erased a row of the base: load the base again")
        weight = frozen_weight(self.base)
        direction = wide(weight) * (self.merged_norm / wide(self.magnitude))[:, None]
        return {"weight": (direction - self.delta()).to(weight.dtype)}


def apply_dora(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    r: int,
    alpha: int | float,
    dropout: int | float = 0.0,
    rslora: bool = False,
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Wrap the targets in DoRA and freeze the rest."""
    return surgery.wrap(model, targets, lambda base: DoRALinear(base, r, alpha, dropout, rslora, dtype))
