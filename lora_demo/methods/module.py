"""What every adapter module says about itself: which parameters are the adapter, and how it folds into its base."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lora_demo.methods.errors import MergeRefused, MethodError


class AdapterModule(nn.Module):
    """A module that declares its adapter parameters by name, relative to itself.

    `surgery.adapter_parameters` reads this declaration, and nothing else decides what is trained, counted and saved.
    A method that wraps nothing (BitFit, LayerNorm tuning, full fine-tuning) sets the attribute on existing modules.
    """

    adapter_parameter_names: tuple[str, ...] = ()
    enabled: bool = True
    """False: the module behaves exactly like what it wraps."""


class LinearAdapter(AdapterModule, ABC):
    """An adapter around a frozen linear layer `base` that may fold into it, so that inference costs nothing extra."""

    merged: bool = False

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.in_features, self.out_features = linear_features(base)

    @abstractmethod
    def folded(self) -> dict[str, Tensor]:
        """The base tensors (by name) with which the base alone computes what base and adapter compute together."""

    @abstractmethod
    def unfolded(self) -> dict[str, Tensor]:
        """The inverse of `folded`, computed from the merged base; equal to the original up to rounding."""

    @property
    def bypassed(self) -> bool:
        return self.merged or not self.enabled

    def merge(self) -> None:
        """Fold the adapter into the base. Raises MergeRefused, with the base bitwise untouched."""
        self._replace(self.checked_fold())
        self.merged = True

    def unmerge(self) -> None:
        """Take the adapter out again: exact up to one rounding of the base's dtype per merge and per unmerge."""
        if not self.merged:
            raise MergeRefused("not merged, so there is nothing to unmerge: call merge() first")
        self._replace(self.unfolded())
        self.merged = False

    def checked_fold(self) -> dict[str, Tensor]:
        """`folded`, or MergeRefused where the result would be wrong."""
        if self.merged:
            raise MergeRefused("already merged: a second merge would add the update twice; call unmerge() first")
        refuse_quantised(self.base)
        new = self.folded()
        for name, value in new.items():
            if not torch.isfinite(value).all():
                raise MergeRefused(
                    f"merging would write NaN or infinity into {name}: the adapter is broken, or its update overflows "
                    f"{value.dtype}; load a sound adapter or merge in float32"
                )
        return new

    @torch.no_grad()
    def _replace(self, tensors: dict[str, Tensor]) -> None:
        for name, value in tensors.items():
            self.base.get_parameter(name).copy_(value)


class PackedLinear(nn.Module, ABC):
    """A linear layer whose weight is stored in fewer bits; `logical_numel` values, however few bytes they take."""

    in_features: int
    out_features: int
    compute_dtype: torch.dtype

    @property
    def logical_numel(self) -> int:
        return self.in_features * self.out_features

    @abstractmethod
    def dequantised(self) -> Tensor:
        """The weight [d_out, d_in] as values of `compute_dtype`."""


def linear_features(base: nn.Module) -> tuple[int, int]:
    """(d_in, d_out) of a linear layer, packed or not."""
    width, height = getattr(base, "in_features", None), getattr(base, "out_features", None)
    if not isinstance(width, int) or not isinstance(height, int):
        raise TypeError(f"{type(base).__name__} is no linear layer: it lacks in_features and out_features")
    return width, height


def adapter_placement(base: nn.Module, dtype: torch.dtype | None) -> tuple[torch.device, torch.dtype]:
    """Device and dtype for new adapter parameters: the base's own, float32 where the base is packed."""
    weight = next((t for t in [*base.parameters(), *base.buffers()]), torch.empty(0))
    own = getattr(base, "compute_dtype", None) or weight.dtype
    return weight.device, dtype or (own if own.is_floating_point else torch.float32)


def refuse_quantised(base: nn.Module) -> None:
    """A packed weight cannot take an update: W + BA no longer lies on the code book. Say where to merge instead."""
    weight = getattr(base, "weight", None)
    if isinstance(weight, nn.Parameter) and weight.is_floating_point():
        return
    advice = "load the base unquantised (or dequantise a copy with nf4.to_linear), load this adapter there, merge there"
    if getattr(getattr(weight, "quant_state", None), "packing_format_for_cpu", False):
        advice = (
            "bitsandbytes has repacked this weight for CPU inference (an eval forward does that), so dequantising it "
            "now gives a permuted matrix; " + advice
        )
    raise MergeRefused(f"the base {type(base).__name__} is quantised, merging would round the update away: {advice}")


def frozen_weight(base: nn.Module) -> Tensor:
    """The base's weight [d_out, d_in] as values, dequantised where it is packed."""
    if isinstance(base, PackedLinear):
        return base.dequantised()
    weight = base.get_parameter("weight")
    if not weight.is_floating_point():
        raise MethodError(f"cannot read the values of a packed {type(base).__name__}: only nf4.NF4Linear is understood")
    return weight


def wide(tensor: Tensor) -> Tensor:
    """At least float32: sums of products are formed here, and rounded to the weight's dtype once."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
