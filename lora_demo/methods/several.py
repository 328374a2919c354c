"""Several adapters in one model: named, switched, summed with weights, mixed within one batch.

Merging, unmerging and switching off go through `merging`, as for a single adapter; the formulas stand in `bank`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lora_demo.methods import surgery
from lora_demo.methods.bank import LoRABank
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import LoRALinear


def apply_bank(model: nn.Module, targets: str | Iterable[str], adapters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Wrap the targets in banks that hold the named adapters, e.g. {"zh": {"r": 8, "alpha": 16}}; freeze the rest."""
    if not adapters:
        raise MethodError("no adapter named: give at least one, e.g. {'zh': {'r': 8, 'alpha': 16}}")
    names = surgery.wrap(model, targets, LoRABank, train=False)
    for bank in banks(model):
        for name, settings in adapters.items():
            bank.add(name, **settings)
    surgery.freeze(model)
    return names


def banks(model: nn.Module) -> list[LoRABank]:
    return [module for module in model.modules() if isinstance(module, LoRABank)]


def mix(model: nn.Module, weights: Mapping[str, float]) -> None:
    """Use this weighted sum of adapters from now on; one name with weight 1 switches to it."""
    _check_choice(model, weights)
    for bank in banks(model):
        bank.weights = dict(weights)


def switch(model: nn.Module, name: str) -> None:
    """Use this adapter alone from now on."""
    mix(model, {name: 1.0})


@contextmanager
def mixed_batch(model: nn.Module, rows: Sequence[str | None]) -> Iterator[None]:
    """Within the block, row i of every batch goes through the adapter rows[i]; None is the base."""
    _check_choice(model, [name for name in rows if name is not None])
    for bank in banks(model):
        bank.rows = tuple(rows)
    try:
        yield
    finally:
        for bank in banks(model):
            bank.rows = None


def take(model: nn.Module, name: str, trained: nn.Module) -> None:
    """Copy the LoRA adapter of another, equally wrapped model into this model's adapter `name`."""
    sources = {path: module for path, module in trained.named_modules() if isinstance(module, LoRALinear)}
    goals = {path: module for path, module in model.named_modules() if isinstance(module, LoRABank)}
    _check_choice(model, [name])
    if sources.keys() != goals.keys():
        raise MethodError(f"the two models wrap different layers: {sorted(sources.keys() ^ goals.keys())[:4]}")
    for path, source in sources.items():
        with torch.no_grad():
            goals[path].lora_A[name].copy_(source.lora_A)
            goals[path].lora_B[name].copy_(source.lora_B)
        goals[path].scales[name] = source.scale


def _check_choice(model: nn.Module, names: Iterable[str]) -> None:
    found = banks(model)
    if not found:
        raise MethodError("no adapter bank in this model: use several.apply_bank first")
    if any(bank.merged for bank in found):
        raise MethodError("adapters are merged: unmerge before choosing others")
    if unknown := sorted(set(names) - set(found[0].scales)):
        raise MethodError(f"no adapter named {unknown[0]!r}; there are: {', '.join(found[0].scales)}")
