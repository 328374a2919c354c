"""Names every allocation of a step by where it comes from, so that the same one is found again in another model.

    forward/layers.3.mlp.up_proj/1       the second storage that this module makes in the forward pass
    again/layers.3.mlp.up_proj/1         the same, recomputed in the backward pass
    backward/layers.3.mlp.up_proj#0/2    the third that the backward of this module's first operation makes

A backward has no modules; its operations know the forward ones they belong to by autograd's sequence numbers.
A wrapped linear's own name is the base's, and what its adapter makes goes by `name.adapter`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lora_demo.memory.tracing.trace import Kind
from lora_demo.memory.tracing.tracker import ModulePath, StorageTracker

DECODER_LAYER = re.compile(r"language_model\.(?:.*\.)?layers\.(\d+)")
"""Not those of a vision tower."""


class AdapterPath(ModulePath):
    """The innermost module, with `q_proj.base` called q_proj and a wrapping `q_proj` called q_proj.adapter."""

    def __init__(self) -> None:
        super().__init__()
        self._wrapped: set[str] = set()

    def watch(self, model: nn.Module) -> list[Any]:
        self._wrapped = {name.removesuffix(".base") for name, _ in model.named_modules() if name.endswith(".base")}
        return super().watch(model)

    @property
    def current(self) -> str:
        name = super().current
        if name in self._wrapped:
            return f"{name}.adapter"
        return name.removesuffix(".base") if name.removesuffix(".base") in self._wrapped else name


class LabelledTracker(StorageTracker):
    """A tracker that keeps a label for each storage, in their order.

    What the outermost module does after its decoder goes by `loss`, so that it is counted apart from what comes before.
    """

    def __init__(self, vocabulary: int | None) -> None:
        super().__init__(vocabulary)
        self.labels: list[str] = []
        self._decoded = False
        self.modules = AdapterPath()
        self._origins: dict[int, str] = {}
        self._operations: Counter[tuple[str, str]] = Counter()
        self._storages: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self.phase == "forward" or (self.phase == "backward" and self.modules.current):
            self._remember_origin()
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _remember_origin(self) -> None:
        place = self._module(), self.phase
        # The operation's own node took the last number given out; without one, the number stays with its owner.
        number = torch._C._autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]  # not in the stubs
        self._origins.setdefault(number, f"{place[0]}#{self._operations[place]}")
        self._operations[place] += 1

    def _enter(self, storage: torch.UntypedStorage, key: int, tensor: Tensor, kind: Kind) -> int:
        place = self._place()
        self.labels.append(f"{place}/{self._storages[place]}")
        self._storages[place] += 1
        return super()._enter(storage, key, tensor, kind)

    def _place(self) -> str:
        if self.phase != "backward":
            return f"{self.phase}/{self._module()}"
        if self.modules.current:
            return f"again/{self._module()}"
        node: Any = torch._C._current_autograd_node()
        return f"backward/{'loss' if node is None else self._origins.get(node._sequence_nr(), 'loss')}"

    def _module(self) -> str:
        name = self.modules.current
        self._decoded = self._decoded or bool(DECODER_LAYER.search(name))
        return name or ("loss" if self._decoded else "")
