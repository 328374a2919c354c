"""Three training loops to trace.

ours       the project's own step (`training.step`), twice: the second holds the optimizer's state from the first
plain      the usual transformers loop: labels = input ids, whole logits, the output object kept until replaced
published  the loop of PEFT's method comparison (MetaMathQA), evaluations included: see `published_lengths.py`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lora_demo.memory.subjects.peft_inputs import task_inputs
from lora_demo.memory.subjects.subject import Size, Subject
from lora_demo.memory.tracing.autocast import Autocast
from lora_demo.memory.tracing.published_lengths import (
    BATCH,
    BEFORE_EVALUATION,
    EVALUATED,
    LONGEST,
    PROMPT,
    SHORTEST_BEFORE,
)
from lora_demo.memory.tracing.tracker import StorageTracker
from lora_demo.training.step import MicroBatch, PlainEngine, StepOptions, step

OptimizerFactory = Callable[[nn.Module], torch.optim.Optimizer]


class TracingEngine(PlainEngine):
    """Bare PyTorch with the phases written into the trace; `autocast`: the forward computes in bfloat16."""

    def __init__(self, tracker: StorageTracker, *, autocast: bool = False) -> None:
        self.tracker = tracker
        self._autocast = autocast

    @contextmanager
    def precision(self) -> Iterator[None]:
        with self.tracker.during("forward"), Autocast() if self._autocast else nullcontext():
            yield

    def backward(self, loss: Tensor) -> None:
        with self.tracker.during("backward"), Autocast(recomputing=True) if self._autocast else nullcontext():
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
    loss_chunk: int | None = None,
    steps: int = 2,
) -> None:
    """Our step on equal micro-batches; logits only at supervised positions when `size.supervised` is given.

    loss_chunk  no logits at all but for so many positions at a time
    """
    forward: dict[str, Any] = {"supervised_only": size.supervised is not None}
    if loss_chunk is not None:
        forward["loss_chunk"] = loss_chunk
    options = StepOptions(forward=forward, check_finite=False)
    trace_steps(subject, tracker, make_optimizer(subject.model), [size] * accumulation, options, steps)


def trace_steps(
    subject: Subject,
    tracker: StorageTracker,
    optimizer: torch.optim.Optimizer,
    sizes: Sequence[Size],
    options: StepOptions,
    steps: int = 2,
    *,
    autocast: bool = False,
) -> None:
    """Our step, with one micro-batch of each size."""
    with _optimizer_phase(optimizer, tracker):
        for _ in range(steps):
            batch: list[MicroBatch] = [_noted(subject.micro_batch(size), tracker) for size in sizes]
            step(subject.model, batch, optimizer, options, TracingEngine(tracker, autocast=autocast))


def trace_plain(
    language_model: Any, tracker: StorageTracker, make_optimizer: OptimizerFactory, batch: int, length: int
) -> None:
    """Two steps of equal rows; the output of the first lives on through the second's forward."""
    optimizer = make_optimizer(language_model)
    loop = TransformersLoop(language_model, tracker, optimizer, padded=False)
    with _optimizer_phase(optimizer, tracker):
        for _ in range(2):
            loop.step(batch, length)
    loop.output = None


def trace_published(language_model: Any, tracker: StorageTracker, make_optimizer: OptimizerFactory) -> None:
    """The two moments of the published loop that can set its maximum; both begin in an emptied cache.

    A long batch, then an evaluation on top of what that step has left in the cache: a prompt of `EVALUATED` rows goes
    through the model without gradients. And the longest batch. The step before either was the shortest of its bucket.
    The first such step is traced whole, since it makes the optimizer's state; of the other only its output lives on,
    so its forward is enough.

    Known limit: the generated tokens themselves are not traced; their keys and values fit in what the prompt has used.
    """
    optimizer = make_optimizer(language_model)
    loop = TransformersLoop(language_model, tracker, optimizer, padded=True)
    with _optimizer_phase(optimizer, tracker):
        loop.step(BATCH, SHORTEST_BEFORE)
        tracker.trace.cache_emptied()
        loop.step(BATCH, BEFORE_EVALUATION)
        _evaluate(language_model, tracker)
        loop.output = _output(language_model, tracker, (BATCH, SHORTEST_BEFORE))
        tracker.trace.cache_emptied()
        loop.step(BATCH, LONGEST)
    loop.output = None


@dataclass
class TransformersLoop:
    """zero_grad, forward, backward, clip to 1, update; a step's output lives until the next forward has replaced it.

    padded  pass an attention mask, as a batch of unequal rows needs one
    """

    language_model: Any
    tracker: StorageTracker
    optimizer: torch.optim.Optimizer
    padded: bool
    output: Any = None

    def step(self, batch: int, length: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with self.tracker.during("forward"):
            inputs = _causal_inputs(batch, length, self.padded, self.tracker)
            self.output = self.language_model(**inputs, **task_inputs(self.language_model, batch))
        with self.tracker.during("backward"):
            self.output.loss.backward()
        with self.tracker.during("clip"):
            nn.utils.clip_grad_norm_([p for p in self.language_model.parameters() if p.grad is not None], 1.0)
        self.optimizer.step()


def _output(language_model: Any, tracker: StorageTracker, shape: tuple[int, int], **more: Any) -> Any:
    """What a forward without labels and gradients returns."""
    with tracker.during("evaluation"), torch.no_grad():
        inputs = _causal_inputs(*shape, True, tracker)
        del inputs["labels"]
        return language_model(**inputs, **task_inputs(language_model, shape[0]), **more)


def _evaluate(language_model: Any, tracker: StorageTracker) -> None:
    language_model.eval()
    _output(language_model, tracker, (EVALUATED, PROMPT), use_cache=True, logits_to_keep=1)
    language_model.train()


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
