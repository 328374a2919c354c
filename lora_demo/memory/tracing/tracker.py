"""Follows every storage of a step on the meta device: when it appears, when it dies, what it is for.

The step runs for real, only its tensors hold no data: parameters, inputs and results live on the meta device, so a
step of a 3 B model takes seconds and almost no memory. A dispatch mode sees each operator's results; a weak
reference to each new storage tells when the last tensor, autograd's saved ones included, lets go of it.

Kinds are assigned by what became of a storage, not by guesses:

    weights      parameters and buffers present before the step, by `requires_grad`
    gradients    `p.grad` of a trainable parameter, marked when autograd has accumulated it
    optimizer    made during `optimizer.step` and alive after it
    logits       last dimension equals the vocabulary and no weight: logits, their fp32 copies and gradients
    activations  made during a forward (recomputation in the backward included) and alive when a backward begins,
                 or made by a recomputation
    temporaries  everything else

Values do not exist, so code that asks for one gets a neutral answer: see `neutral.py`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lora_demo.memory.subjects.neutral import neutral_answer
from lora_demo.memory.tracing.accumulation import accumulates_in_place
from lora_demo.memory.tracing.known_results import KnownResults
from lora_demo.memory.tracing.trace import Kind, Storage, Trace


class StorageTracker(TorchDispatchMode):
    """A dispatch mode that writes a `Trace`; `phase` says what the loop is doing."""

    def __init__(self, vocabulary: int | None = None) -> None:
        super().__init__()
        self.trace = Trace()
        self.phase = "load"
        self.modules = ModulePath()
        self._results = KnownResults()
        self._vocabulary = vocabulary
        self._numbers: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self.phase == "backward" and accumulates_in_place(func, args, kwargs or {}):
            return args[0].add_(args[1])
        known, answer = neutral_answer(func, args, kwargs or {})
        result = answer if known else self._results.run(func, args, kwargs or {})
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.note(leaf)
        return result

    def note(self, tensor: Tensor, kind: Kind | None = None) -> int | None:
        """Number of the tensor's storage, entered in the trace when it is new; None for empty and host tensors."""
        if tensor.device.type != "meta":
            return None
        storage = tensor.untyped_storage()
        key = id(storage)
        entry = self._numbers.get(key)
        if entry is not None and entry[0]() is storage:
            return entry[1]
        if storage.nbytes() == 0:
            return None
        return self._enter(storage, key, tensor, kind or self._first_guess(tensor))

    def relabel(self, tensor: Tensor, kind: Kind) -> None:
        number = self.note(tensor, kind)
        if number is not None:
            self.trace[number].kind = kind

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Mark a phase: forward, backward, optimizer, or another name of the loop's."""
        before, self.phase = self.phase, phase
        if phase == "backward":
            self._keep("forward", "activations")
        try:
            yield
        finally:
            if phase == "optimizer":
                self._keep("optimizer", "optimizer")
            self.phase = before

    def _keep(self, phase: str, kind: Kind) -> None:
        """What a phase made and is alive at its end was made to be kept."""
        for _, number in self._numbers.values():
            storage = self.trace[number]
            if storage.phase == phase and storage.kind == "temporaries":
                storage.kind = kind

    def _enter(self, storage: torch.UntypedStorage, key: int, tensor: Tensor, kind: Kind) -> int:
        number = self.trace.born(
            Storage(storage.nbytes(), kind, self.modules.current, self.phase, tuple(tensor.shape), str(tensor.dtype))
        )

        def gone(_: object) -> None:
            self.trace.died(number)
            if self._numbers.get(key, (None, 0))[1] == number:
                del self._numbers[key]

        self._numbers[key] = (weakref.ref(storage, gone), number)
        return number

    def _first_guess(self, tensor: Tensor) -> Kind:
        by_word = tensor.ndim > 0 and tensor.shape[-1] == self._vocabulary
        # A bias of the output head has moments of the same shape.
        if by_word and self.phase not in ("clip", "optimizer"):
            return "logits"
        # Gradients are enabled in the backward pass only while activation checkpointing recomputes a forward.
        recomputing = self.phase == "backward" and torch.is_grad_enabled()
        return "activations" if recomputing else "temporaries"


class ModulePath:
    """Name of the innermost module whose forward is running."""

    def __init__(self) -> None:
        self._stack: list[str] = []

    @property
    def current(self) -> str:
        return self._stack[-1] if self._stack else ""

    def watch(self, model: nn.Module) -> list[Any]:
        """Hook every module; the handles remove the hooks."""
        handles: list[Any] = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self._stack.append(name)))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        return handles

    def _leave(self, *_: Any) -> None:
        self._stack.pop()


def watch_model(tracker: StorageTracker, model: nn.Module) -> list[Any]:
    """Enter the weights into the trace and mark gradients as they come; returns hook handles."""
    for tensor in (*model.buffers(), *plain_tensors(model)):
        tracker.note(tensor, "weights_frozen")
    handles = tracker.modules.watch(model)
    for parameter in model.parameters():
        tracker.relabel(parameter, "weights_trainable" if parameter.requires_grad else "weights_frozen")
        if parameter.requires_grad:
            handles.append(parameter.register_post_accumulate_grad_hook(_marks_gradient(tracker)))
    return handles


def plain_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that modules keep in plain attributes, lists or dicts: index lists of sparse adapters, for example."""
    for module in model.modules():
        for name, value in vars(module).items():
            if not name.startswith("_") and isinstance(value, Tensor | dict | list | tuple):
                yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _marks_gradient(tracker: StorageTracker) -> Callable[[Tensor], None]:
    def mark(parameter: Tensor) -> None:
        if parameter.grad is not None:
            tracker.relabel(parameter.grad, "gradients")

    return mark
