"""IA3: a trained factor per feature, no matrices.

    keys, values:   y = l ∘ (W x + b),    l [d_out]
    feed-forward:   y = W (l ∘ x) + b,    l [d_in]  (on the layer that leads back to the hidden width)

    l starts at one, so that the first output is the base's. Folds into W exactly but for rounding.

Source: Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning,
arXiv:2205.05638, section 3.3.
Known limits: unmerging divides by l, so a factor of zero cannot be undone and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.module import LinearAdapter, adapter_placement


class IA3Linear(LinearAdapter):
    """A linear layer `base` whose output (or, with `feedforward`, input) is scaled feature by feature."""

    adapter_parameter_names = ("factors",)

    def __init__(self, base: nn.Module, feedforward: bool = False, dtype: torch.dtype | None = None) -> None:
        super().__init__(base)
        self.feedforward = feedforward
        device, dtype = adapter_placement(base, dtype)
        width = self.in_features if feedforward else self.out_features
        self.factors = nn.Parameter(torch.ones(width, device=device, dtype=dtype))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        if self.bypassed:
            return self.base(x)
        if self.feedforward:
            return self.base((x * self.factors).to(x.dtype))
        y = self.base(x)
        return (y * self.factors).to(y.dtype)

    def folded(self) -> dict[str, Tensor]:
        return self._times(self.factors.detach())

    def unfolded(self) -> dict[str, Tensor]:
        if not self.factors.all():
            raise MergeRefused("a factor of zero erased part of the base: load the base again")
        return self._times(1 / self.factors.detach())

    def _times(self, factors: Tensor) -> dict[str, Tensor]:
        tensors = {name: value.detach() for name, value in self.base.named_parameters()}
        if self.feedforward:
            return {"weight": (tensors["weight"] * factors).to(tensors["weight"].dtype)}
        columns = {"weight": factors[:, None], "bias": factors}
        return {name: (value * columns[name]).to(value.dtype) for name, value in tensors.items()}


def apply_ia3(
    model: nn.Module,
    targets: str | Iterable[str],
    *,
    feedforward: Iterable[str] = (),
    dtype: torch.dtype | None = None,
) -> list[str]:
    """Wrap the targets; those that `feedforward` names too are scaled at their input. The rest is frozen."""
    endings = list(feedforward)
    names = surgery.find(model, targets)
    scaled_inputs = set(surgery.find(model, endings)) if endings else set()
    if outside := sorted(scaled_inputs - set(names)):
        raise MethodError(f"{outside[0]} is named as feedforward but is no target: add it to the targets")
    place = {id(model.get_submodule(name)): name in scaled_inputs for name in names}
    return surgery.wrap(model, names, lambda base: IA3Linear(base, place[id(base)], dtype))
