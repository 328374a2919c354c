"""The step's engine on top of Hugging Face Accelerate: mixed precision, several processes, gradient exchange."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import DistributedType
from torch import Tensor, nn

from lora_demo.training.engine import sharded
from lora_demo.training.engine.stopped import TrainingStopped

Precision = Literal["fp32", "bf16"]
MOMENT = 0.2
"""Seconds; a thread that waits for the interpreter needs microseconds."""
OTHERS_LOOP = (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)


class AcceleratedEngine:
    """Implements `step.Engine`.

    Accumulation is ours (the step takes all micro-batches), so Accelerate's stays at 1. Autocast is ours too: the
    setting then belongs to one run, where Accelerate's would be shared by all runs of the process.

    doing  the part of the step that is under way, for messages
    """

    def __init__(self, accelerator: Accelerator, precision: Precision) -> None:
        if accelerator.gradient_accumulation_steps != 1:
            raise ValueError("the step accumulates by itself; build the Accelerator with gradient_accumulation_steps=1")
        self.accelerator, self._precision = accelerator, precision
        self.doing = "preparation"

    @property
    def processes(self) -> int:
        return self.accelerator.num_processes

    def precision(self) -> AbstractContextManager[Any]:
        self.doing = "forward pass"
        if self._precision == "fp32":
            return nullcontext()
        return torch.autocast(self.accelerator.device.type, dtype=torch.bfloat16)

    def accumulating(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
        # A sharded run exchanges gradients every time: waiting would keep them whole, which is what sharding avoids.
        wait = not last and self.processes > 1 and not sharded.active(self.accelerator)
        return self.accelerator.no_sync(model) if wait else nullcontext()

    def backward(self, loss: Tensor) -> None:
        self.doing = "backward pass"
        self.accelerator.backward(loss)
        self.doing = "update"

    def clip(self, parameters: Sequence[Tensor], limit: float) -> Tensor:
        norm = self.accelerator.clip_grad_norm_(parameters, limit)
        if norm is None:
            raise RuntimeError("Accelerate returned no gradient norm; clipping needs one")
        return sharded.whole(norm)

    def total(self, value: Tensor) -> Tensor:
        if self.processes == 1:
            return value
        summed = self.accelerator.reduce(value, reduction="sum")
        if not isinstance(summed, Tensor):
            raise TypeError(f"Accelerate reduced a tensor to {type(summed).__name__}")
        return summed


def require_known_launcher(accelerator: Accelerator) -> None:
    """Raise TrainingStopped where a launcher brings an engine that replaces step and optimizer."""
    if accelerator.distributed_type in OTHERS_LOOP:
        kind = accelerator.distributed_type.value
        raise TrainingStopped(
            f"launched with {kind}, which brings a step and an optimizer of its own; this loop runs replicas "
            "(`accelerate launch --multi_gpu`) or shards (`accelerate launch --use_fsdp`)"
        )


def open_accelerator() -> Accelerator:
    """An Accelerator for the hardware and launcher at hand.

    The two key biases of mining never get a gradient (they cancel in the softmax), so DDP must look for unused
    parameters.
    """
    shards = sharded.plugin() if sharded.asked_for() else None
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no",
        fsdp_plugin=shards,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if shards is not None and not sharded.active(accelerator):
        sharded.switch_on(accelerator, shards)
    return accelerator


def leave() -> None:
    """Part from the other processes, if there are any.

    Caches of DTensor keep the group, and with it gloo's threads, alive. One that has just finished still has to let go
    of a tensor, for which it needs the interpreter: at the interpreter's end that would abort the process.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        by_threads = torch.distributed.get_backend() == "gloo"
        torch.distributed.destroy_process_group()
        if by_threads:
            time.sleep(MOMENT)
