"""What prefix and prompt tuning share: positions that exist for attention, but not for the caller."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lora_demo.methods.errors import MethodError


def batch_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Rows of a decoder call that passes input_ids (by position or name) or inputs_embeds."""
    given = args[0] if args else kwargs.get("input_ids")
    given = kwargs.get("inputs_embeds") if given is None else given
    if given is None:
        raise MethodError("virtual tokens need input_ids or inputs_embeds in the call")
    return given.shape[0]


def lengthen(kwargs: dict[str, Any], rows: int, count: int) -> None:
    """Put `count` visible positions before those of the call: the mask grows, given positions move up. In place."""
    mask = kwargs.get("attention_mask")
    if mask is not None:
        if mask.dim() != 2:
            raise MethodError(f"virtual tokens extend a 2-D attention mask, this one has {mask.dim()} dimensions")
        kwargs["attention_mask"] = torch.cat([mask.new_ones(rows, count), mask], dim=1)
    if kwargs.get("position_ids") is not None:
        kwargs["position_ids"] = kwargs["position_ids"] + count


def cached_tokens(kwargs: dict[str, Any]) -> int:
    """How many positions the cache of this call holds already."""
    cache = kwargs.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()


def refuse_second(model: nn.Module, name: str) -> None:
    """Virtual tokens live in the submodule `name`; two sets in one model would add up unnoticed."""
    if hasattr(model, name):
        raise MethodError(f"{type(model).__name__} has a submodule {name!r} already: remove it or load the base again")
