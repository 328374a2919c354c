"""Find, wrap, freeze, collect: the same four cuts for every method, on any module.

One predicate, `adapter_parameters`, decides what is trained, counted and saved. All names are relative to the module
passed in: hand over the language model alone and no vision tower can be hit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

from torch import Tensor, nn

from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import AdapterModule

ALL = "all"


def find(model: nn.Module, targets: str | Iterable[str]) -> list[str]:
    """Names of the linear layers that the targets mean.

    targets  a list of name endings ("q_proj" hits "layers.0.self_attn.q_proj", never "seq_proj"), a regular expression
             that must match the whole name, or "all": every linear layer but the output head.
    Raises MethodError for a target that hits nothing, with the nearest names that exist.
    """
    linears = _linears(model)
    if targets == ALL:
        return [name for name, module in linears.items() if module is not _output_head(model)]
    if isinstance(targets, str):
        hits = [name for name in linears if re.fullmatch(targets, name)]
        _need(bool(hits), targets, linears)
        return hits
    endings = list(targets)
    for ending in endings:
        _need(any(_ends_with(name, ending) for name in linears), ending, linears)
    return [name for name in linears if any(_ends_with(name, ending) for ending in endings)]


def wrap(
    model: nn.Module, targets: str | Iterable[str], make: Callable[[nn.Module], AdapterModule], *, train: bool = True
) -> list[str]:
    """Replace each target by `make(target)`; then freeze, unless `train` is False. Nothing is replaced on an error."""
    names = find(model, targets)
    if not names:
        raise MethodError(f"targets {targets!r} name no linear layer of {type(model).__name__}")
    for name in names:
        if any(isinstance(model.get_submodule(prefix), AdapterModule) for prefix in _prefixes(name)):
            raise MethodError(f"{name} carries an adapter already: merge or unload it first, or use several.py")
    replacements = {name: make(model.get_submodule(name)).train(model.training) for name in names}
    for name, replacement in replacements.items():
        model.set_submodule(name, replacement)
    if train:
        freeze(model)
    return names


def adapter_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The one predicate: every parameter that its module declares as adapter, by name, tied ones once."""
    declared = {
        id(module.get_parameter(name))
        for module in model.modules()
        for name in getattr(module, "adapter_parameter_names", ())
    }
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) in declared}


def declare(module: nn.Module, names: Iterable[str]) -> None:
    """Declare existing parameters of an ordinary module as the adapter (BitFit, LayerNorm tuning, full fine-tuning)."""
    already = getattr(module, "adapter_parameter_names", ())
    # plain strings on the module, not a mark on the parameter: they survive deepcopy
    object.__setattr__(module, "adapter_parameter_names", tuple(dict.fromkeys([*already, *names])))


def freeze(model: nn.Module) -> None:
    """Train what is declared, nothing else. Call it on the whole model after adapting a part of it."""
    chosen = {id(parameter) for parameter in adapter_parameters(model).values()}
    if not chosen:
        raise MethodError(f"nothing to train: no module in {type(model).__name__} declares an adapter; apply one first")
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)


def collect(model: nn.Module) -> dict[str, Tensor]:
    """The adapter's tensors by name: all that has to be saved."""
    return {name: parameter.detach() for name, parameter in adapter_parameters(model).items()}


def adapters(model: nn.Module) -> dict[str, AdapterModule]:
    """The adapter modules by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, AdapterModule)}


def _linears(model: nn.Module) -> dict[str, nn.Module]:
    return {
        name: module
        for name, module in model.named_modules()
        if name and hasattr(module, "in_features") and hasattr(module, "out_features")
    }


def _output_head(model: nn.Module) -> nn.Module | None:
    getter = getattr(model, "get_output_embeddings", None)
    head = getter() if callable(getter) else None
    return head if isinstance(head, nn.Module) else None


def _ends_with(name: str, ending: str) -> bool:
    return name == ending or name.endswith("." + ending)


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _need(found: bool, target: str, linears: dict[str, nn.Module]) -> None:
    if found:
        return
    endings = sorted({name.rsplit(".", 1)[-1] for name in linears})
    near = difflib.get_close_matches(target.rsplit(".", 1)[-1], endings, n=3, cutoff=0.5) or endings[:8]
    raise MethodError(f"target {target!r} hits no linear layer; near names here: {', '.join(near) or '(none)'}")
