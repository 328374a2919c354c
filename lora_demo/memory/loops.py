"""Three training loops to trace.

ours       the project's own step (`training.step`), twice: the second holds the optimizer's state from the first
plain      the usual transformers loop: labels = input ids, whole logits, the output object kept until replaced
published  the loop of PEFT's method comparison (MetaMathQA): see `published_lengths.py`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lora_demo.memory.peft_inputs import task_inputs
from lora_demo.memory.subject import Size, Subject
from lora_demo.memory.tracker import StorageTracker
from lora_demo.training.step import MicroBatch, PlainEngine, StepOptions, step

OptimizerFactory = Callable[[nn.Module], torch.optim.Optimizer]


class TracingEngine(PlainEngine):
    """Bare PyTorch with the phases written into the trace."""

    def __init__(self, tracker: StorageTracker) -> None:
        self.tracker = tracker

    def precision(self) -> AbstractContextManager[Any]:
        return self.tracker.during("forward")

    def backward(self, loss: Tensor) -> None:
        with self.tracker.during("backward"):
            loss.backward()

    def clip(self, parameters: Sequence[Tensor], limit: float) -> Tensor:
        with self.tracker.during("clip"):
            return super().clip(parameters, limit)


def trace_ours(
    subject: Subject,
    tracker: StorageTracker,
    make_optimizer: OptimizerFactory,
    size: Size,
    *,
    accumulation: int = 1,
    steps: int = 2,
) -> None:
    """Our step on equal micro-batches; logits only at supervised positions when `size.supervised` is given."""
    optimizer = make_optimizer(subject.model)
    options = StepOptions(forward={"supervised_only": size.supervised is not None}, check_finite=False)
    with _optimizer_phase(optimizer, tracker):
        for _ in range(steps):
            batch: list[MicroBatch] = [_noted(subject.micro_batch(size), tracker) for _ in range(accumulation)]
            step(subject.model, batch, optimizer, options, TracingEngine(tracker))


def trace_plain(
    language_model: Any,
    tracker: StorageTracker,
    make_optimizer: OptimizerFactory,
    batch: int,
    lengths: Sequence[int],
    *,
    padded: bool = True,
    empty_cache_before: Sequence[int] = (),
) -> None:
    """zero_grad, forward, backward, clip to 1, update; the output of a step lives on through the next forward.

    lengths             positions of each step's batch
    padded              pass an attention mask, as a batch of unequal rows needs one
    empty_cache_before  indices of the steps before which `empty_cache` is called
    """
    optimizer = make_optimizer(language_model)
    output = None
    with _optimizer_phase(optimizer, tracker):
        for index, length in enumerate(lengths):
            if index in empty_cache_before:
                tracker.trace.cache_emptied()
            optimizer.zero_grad(set_to_none=True)
            with tracker.during("forward"):
                inputs = _causal_inputs(batch, length, padded, tracker)
                output = language_model(**inputs, **task_inputs(language_model, batch))
            with tracker.during("backward"):
                output.loss.backward()
            with tracker.during("clip"):
                nn.utils.clip_grad_norm_([p for p in language_model.parameters() if p.grad is not None], 1.0)
            optimizer.step()
    del output


def _causal_inputs(batch: int, length: int, padded: bool, tracker: StorageTracker) -> dict[str, Tensor]:
    ids = torch.empty((batch, length), dtype=torch.long, device="meta")
    inputs = {"input_ids": ids, "labels": ids}
    if padded:
        inputs["attention_mask"] = torch.empty_like(ids)
    for tensor in inputs.values():
        tracker.note(tensor)
    return inputs


def _noted(micro: MicroBatch, tracker: StorageTracker) -> MicroBatch:
    for value in micro.inputs.values():
        if isinstance(value, Tensor):
            tracker.note(value)
    return micro


@contextmanager
def _optimizer_phase(optimizer: torch.optim.Optimizer, tracker: StorageTracker) -> Iterator[None]:
    """Mark what happens inside `optimizer.step`, wherever it is called."""
    open_phase: list[AbstractContextManager[None]] = []

    def enter(*_: Any) -> None:
        open_phase.append(tracker.during("optimizer"))
        open_phase[-1].__enter__()

    def leave(*_: Any) -> None:
        open_phase.pop().__exit__(None, None, None)

    handles = [optimizer.register_step_pre_hook(enter), optimizer.register_step_post_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
