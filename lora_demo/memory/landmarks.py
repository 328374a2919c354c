"""Where in a step the trace stands: marks set by the decoder's own layers as forward and backward pass through them.

    layer i, forward       attention, then feedforward: as each begins
    after the last layer   loss
    backward               head, once the gradient of the logits is there; for each layer from the last to the first
                           feedforward as its output's gradient arrives, attention as that of the feed-forward's input
                           does; embedding, once the first layer's input has its gradient

Known limit: a tensor that needs no gradient sets no mark, so a model frozen below some point has none below it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lora_demo.memory.tracker import StorageTracker

Mark = Callable[[str, int], None]


def watch_layers(tracker: StorageTracker, language_model: nn.Module) -> list[Any]:
    """Hook a decoder with `layers`, each with an `mlp`, and its output head; the handles remove the hooks."""
    layers = _layers(language_model)

    def mark(name: str, layer: int) -> None:
        tracker.trace.mark(name, layer)

    handles = [hook for number, layer in enumerate(layers) for hook in _watch(tracker, layer, number, mark)]
    handles.append(layers[-1].register_forward_hook(_first_time(tracker, lambda *_: mark("loss", 0))))
    head: Any = language_model
    head = head.get_output_embeddings()
    handles.append(head.register_forward_hook(lambda _, __, logits: _on_gradient(logits, mark, "head", 0)))
    return handles


def _watch(tracker: StorageTracker, layer: Any, number: int, mark: Mark) -> list[Any]:
    def begins(_: nn.Module, args: tuple[Any, ...]) -> None:
        mark("attention", number)
        if number == 0:
            _on_gradient(args[0], mark, "embedding", 0)

    def turns(_: nn.Module, args: tuple[Any, ...]) -> None:
        mark("feedforward", number)
        _on_gradient(args[0], mark, "backward_attention", number)

    def ends(_: nn.Module, __: Any, output: Any) -> None:
        hidden = output if isinstance(output, Tensor) else output[0]
        _on_gradient(hidden, mark, "backward_feedforward", number)

    return [
        layer.register_forward_pre_hook(_first_time(tracker, begins)),
        layer.mlp.register_forward_pre_hook(_first_time(tracker, turns)),
        layer.register_forward_hook(_first_time(tracker, ends)),
    ]


def _first_time(tracker: StorageTracker, hook: Callable[..., None]) -> Callable[..., None]:
    """Only in the forward pass, not when the backward pass recomputes it."""

    def guarded(*args: Any) -> None:
        if tracker.phase == "forward":
            hook(*args)

    return guarded


def _on_gradient(tensor: Tensor, mark: Mark, name: str, layer: int) -> None:
    if tensor.requires_grad and torch.is_grad_enabled():
        # Returning nothing leaves the gradient as it is.
        tensor.register_hook(lambda _: mark(name, layer))


def _layers(language_model: nn.Module) -> nn.ModuleList:
    for name, module in language_model.named_modules():
        if name.endswith("layers") and isinstance(module, nn.ModuleList) and hasattr(module[0], "mlp"):
            return module
    raise ValueError(f"{type(language_model).__name__} has no list of layers with a feed-forward each")
