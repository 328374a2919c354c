"""Merge, unmerge, unload and switch off, for all adapters of a model at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.module import LinearAdapter


def merge(model: nn.Module) -> None:
    """Merge every adapter or none: all are checked before the first weight changes."""
    found = _mergeable(model)
    for name, module in found.items():
        try:
            module.checked_fold()
        except MergeRefused as refusal:
            raise MergeRefused(f"{name}: {refusal}. No weight was changed") from refusal
    for module in found.values():
        module.merge()


def unmerge(model: nn.Module) -> None:
    """Take every merged adapter out again."""
    for module in _mergeable(model).values():
        module.unmerge()


def unload(model: nn.Module) -> None:
    """Put the bases back in place of the wrappers; merge first to keep what was learned."""
    for name, module in _mergeable(model).items():
        model.set_submodule(name, module.base)


@contextmanager
def disabled(model: nn.Module) -> Iterator[None]:
    """Within the block the model computes what the base computes."""
    found = surgery.adapters(model)
    if not found:
        raise MethodError("this method changes weights in place, there is nothing to switch off: load the base again")
    if stuck := [name for name, module in found.items() if getattr(module, "merged", False)]:
        raise MethodError(f"{stuck[0]} is merged and cannot be switched off: unmerge first")
    if stuck := [name for name, module in found.items() if getattr(module, "residual_base", False)]:
        raise MethodError(f"{stuck[0]} has a PiSSA start, its base is a residual: use pissa.as_plain_lora first")
    before = {name: module.enabled for name, module in found.items()}
    for module in found.values():
        module.enabled = False
    try:
        yield
    finally:
        for name, module in found.items():
            module.enabled = before[name]


def _mergeable(model: nn.Module) -> dict[str, LinearAdapter]:
    found = surgery.adapters(model)
    if not found:
        raise MergeRefused("no adapter in this model: apply or load one first")
    for name, module in found.items():
        if not isinstance(module, LinearAdapter):
            raise MergeRefused(
                f"{name}: {type(module).__name__} is not a linear update of a weight, it cannot be merged"
            )
    return {name: module for name, module in found.items() if isinstance(module, LinearAdapter)}
