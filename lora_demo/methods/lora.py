"""LoRA: a frozen linear layer plus a trained low-rank update.

    y = W x + b + s · B A dropout(x),      s = α / r   (rsLoRA: s = α / √r)

    W [d_out, d_in] frozen · A [r, d_in] Kaiming-uniform · B [d_out, r] zero, so that the first output is the base's.

Sources: Hu et al. 2021, LoRA, arXiv:2106.09685, equation 3 and section 4.1 (the scale α/r stands in the text, not in
the equation); Kalajdzievski 2023, rsLoRA, arXiv:2312.03732, theorem 3.2.
Known limits: merging into a packed base is refused; a bfloat16 merge rounds W + sBA to bfloat16, and every merge and
unmerge rounds once more, so a round trip restores W only up to that rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import LinearAdapter, adapter_placement, frozen_weight, wide


class LoRALinear(LinearAdapter):
    """A linear layer `base` with one LoRA adapter.

    r        rank, 1 <= r <= min(d_in, d_out)
    alpha    numerator of the scale, > 0
    dropout  probability in [0, 1), applied to the input of A, never to the base's path
    rslora   divide alpha by √r instead of r
    dtype    of A and B; None takes the base's
    """

    adapter_parameter_names = ("lora_A", "lora_B")
    residual_base: bool = False
    """True after the PiSSA start: the base holds W less the start, not W."""

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
        # a = √5 gives uniform ±1/√d_in, what nn.Linear does too; the fan-in must be d_in, hence the shape [r, d_in]
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        y = self.base(x)
        if self.bypassed:
            return y
        # scaled while it is only r wide: the same product for a fraction of the work
        hidden = F.linear(self.dropout(x.to(self.lora_A.dtype)), self.lora_A) * self.scale
        return y + F.linear(hidden, self.lora_B).to(y.dtype)

    @torch.no_grad()
    def delta(self) -> Float[Tensor, "d_out d_in"]:
        """ΔW = s · B A, in float32 or wider."""
        return wide(self.lora_B) @ wide(self.lora_A) * self.scale

    def folded(self) -> dict[str, Tensor]:
        weight = frozen_weight(self.base)
        return {"weight": (wide(weight) + self.delta()).to(weight.dtype)}

    def unfolded(self) -> dict[str, Tensor]:
        weight = frozen_weight(self.base)
        return {"weight": (wide(weight) - self.delta()).to(weight.dtype)}


def check_settings(r: int, alpha: int | float, dropout: int | float, d_in: int, d_out: int) -> None:
    """Raises MethodError for settings that have no meaning."""
    if not 1 <= r <= min(d_in, d_out):
        raise MethodError(
            f"r={r}: the rank must lie in 1..{min(d_in, d_out)}; BA of {d_out} x {d_in} cannot have a higher one"
        )
    if not (alpha > 0 and math.isfinite(alpha)):
        raise MethodError(f"alpha={alpha}: must be a positive finite number; 2r and r are common choices")
    if not 0 <= dropout < 1:
        raise MethodError(f"dropout={dropout}: must lie in [0, 1); 1 would switch the adapter off")


def apply_lora(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    r: int,
    alpha: int | float,
    dropout: int | float = 0.0,
    rslora: bool = False,
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Wrap the targets inside `model`, freeze everything else in it, return the wrapped names."""
    return surgery.wrap(model, targets, lambda base: LoRALinear(base, r, alpha, dropout, rslora, dtype))
