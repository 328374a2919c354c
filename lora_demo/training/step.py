"""The one forward, backward and update of the project. Training runs it, memory prediction traces it.

    loss   = sum over micro-batches of (summed loss / terms of the whole batch)
    update = optimizer(clip(gradient of loss))

A batch may be cut into micro-batches; each term then weighs the same wherever it stands (transformers 5 normalises
so; averaging per micro-batch, as 4.x did, favours short answers). The model is any module whose output has `.loss`
and which takes `denominator`. Nothing here knows recipes, files or devices; `Engine` is where Accelerate comes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class NonFiniteLoss(ArithmeticError):
    """The loss or the gradient is NaN or infinite; the weights were not touched by this step."""


@dataclass(frozen=True)
class MicroBatch:
    """What one forward takes.

    inputs  keyword arguments of the model
    terms   how many loss terms (supervised tokens) it holds
    tokens  how many real positions, for the speed display
    """

    inputs: Mapping[str, Any]
    terms: int
    tokens: int = 0


@dataclass(frozen=True)
class StepOptions:
    """How a step is done.

    clip_norm     upper limit of the gradient's global norm; None leaves gradients as they are
    forward       further keyword arguments of every forward, e.g. supervised_only
    check_finite  refuse a NaN or infinite loss before the update; off for fake tensors, which have no values
    """

    clip_norm: float | None = 1.0
    forward: Mapping[str, Any] = field(default_factory=dict)
    check_finite: bool = True


@dataclass(frozen=True)
class StepResult:
    """Loss of the whole batch, before the update, and the gradient's norm before clipping (None without clipping)."""

    loss: Tensor
    gradient_norm: Tensor | None


@runtime_checkable
class Engine(Protocol):
    """What differs between one bare device and many processes."""

    def precision(self) -> AbstractContextManager[Any]:
        """Context of the forward, e.g. autocast."""
        ...

    def accumulating(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
        """Context of one micro-batch; gradients are exchanged between processes in the last one only."""
        ...

    def backward(self, loss: Tensor) -> None: ...

    def clip(self, parameters: Sequence[Tensor], limit: float) -> Tensor:
        """Scale the gradients to the limit; returns their norm before."""
        ...

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes."""
        ...

    @property
    def processes(self) -> int: ...


class PlainEngine:
    """One process, no scaling, no autocast: bare PyTorch."""

    processes = 1

    def precision(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def accumulating(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def clip(self, parameters: Sequence[Tensor], limit: float) -> Tensor:
        return nn.utils.clip_grad_norm_(parameters, limit)

    def total(self, value: Tensor) -> Tensor:
        return value


PLAIN = PlainEngine()


def step(
    model: nn.Module,
    batch: Sequence[MicroBatch],
    optimizer: torch.optim.Optimizer,
    options: StepOptions = StepOptions(),
    engine: Engine = PLAIN,
) -> StepResult:
    """Forward and backward of every micro-batch, then one update; gradients are freed at the end.

    Raises NonFiniteLoss before anything is changed, ValueError for a batch without any loss term.
    """
    denominator = _terms(batch, engine, optimizer) / engine.processes
    loss = torch.zeros((), device=_device(optimizer))
    for index, micro in enumerate(batch):
        with engine.accumulating(model, last=index == len(batch) - 1):
            loss = loss + _forward_backward(model, micro, options, engine, denominator)
    loss = engine.total(loss) / engine.processes
    norm = _clip(optimizer, options, engine)
    if options.check_finite:
        _refuse_non_finite(loss, norm, optimizer)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepResult(loss, norm)


def _forward_backward(
    model: nn.Module, micro: MicroBatch, options: StepOptions, engine: Engine, denominator: float
) -> Tensor:
    with engine.precision():
        loss = model(**micro.inputs, **options.forward, denominator=denominator).loss
    engine.backward(loss)
    return loss.detach()


def _terms(batch: Sequence[MicroBatch], engine: Engine, optimizer: torch.optim.Optimizer) -> float:
    terms = float(sum(micro.terms for micro in batch))
    if engine.processes > 1:
        terms = float(engine.total(torch.tensor(terms, device=_device(optimizer))))
    if terms == 0:
        raise ValueError("no label in this batch counts in the loss: every one is ignored or was cut off")
    return terms


def _clip(optimizer: torch.optim.Optimizer, options: StepOptions, engine: Engine) -> Tensor | None:
    if options.clip_norm is None:
        return None
    return engine.clip([p for group in optimizer.param_groups for p in group["params"]], options.clip_norm)


def _refuse_non_finite(loss: Tensor, norm: Tensor | None, optimizer: torch.optim.Optimizer) -> None:
    broken = [name for name, value in (("loss", loss), ("gradient norm", norm)) if not _finite(value)]
    if broken:
        optimizer.zero_grad(set_to_none=True)
        raise NonFiniteLoss(f"the {broken[0]} is not a finite number")


def _finite(value: Tensor | None) -> bool:
    return value is None or bool(torch.isfinite(value))


def _device(optimizer: torch.optim.Optimizer) -> torch.device:
    return optimizer.param_groups[0]["params"][0].device
