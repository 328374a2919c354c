"""Peak memory of a training step on a GPU, predicted without one.

Trace the real step on the meta device (`tracker`), with CUDA's kernels stood in for (`cuda_kernels`), then replay its
allocations through the model of the caching allocator (`trace`, `allocator`).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from lora_demo.memory import loops
from lora_demo.memory.build import adapt, build_subject
from lora_demo.memory.cards import Card, card
from lora_demo.memory.cuda_kernels import WORKSPACE, WORKSPACE_HOPPER, cuda_kernels
from lora_demo.memory.landmarks import watch_layers
from lora_demo.memory.optimizer_choice import OptimizerName, make_optimizer
from lora_demo.memory.peft_stand_ins import stepping
from lora_demo.memory.subject import Size, Subject
from lora_demo.memory.trace import Kind, Replay, Trace, replay
from lora_demo.memory.tracker import StorageTracker, watch_model

LoopName = Literal["ours", "plain", "published"]
LOOPS: tuple[LoopName, ...] = get_args(LoopName)


@dataclass(frozen=True)
class Setting:
    """Everything that a prediction depends on.

    model            preset or folder with config.json
    method           "full", one of our methods with its settings, or a PEFT adapter folder
    supervised       compute logits at this many positions per row only; None: whole logits
    adapter_fp32     adapters in float32, as PEFT makes them on a bf16 base
    """

    model: str
    method: str
    batch: int = 1
    length: int = 1024
    loop: LoopName = "ours"
    optimizer: OptimizerName = "foreach"
    checkpointing: bool = False
    supervised: int | None = None
    adapter_fp32: bool = True
    accumulation: int = 1
    gpu: str = "rtx4090"


@dataclass(frozen=True)
class Prediction:
    """Bytes. `parts` add up to `peak_allocated`; `driver` is what nvidia-smi would show, context included."""

    peak_allocated: int
    peak_reserved: int
    parts: dict[Kind, int]
    trainable: int
    seconds: float
    driver: int
    setting: Setting

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def predict(setting: Setting) -> Prediction:
    """Trace and replay; takes seconds for a 3 B model."""
    start = time.perf_counter()
    device = card(setting.gpu)
    trace, trainable = trace_step(setting)
    result = replay(trace, workspace=_workspace(device))
    return Prediction(
        peak_allocated=result.peak_allocated,
        peak_reserved=result.peak_reserved,
        parts=result.parts,
        trainable=trainable,
        seconds=time.perf_counter() - start,
        driver=result.peak_reserved + device.context,
        setting=setting,
    )


def trace_step(setting: Setting) -> tuple[Trace, int]:
    """The events of the step and the number of trainable parameters."""
    return trace_subject(build_subject(setting.model), setting)


def trace_subject(
    subject: Subject, setting: Setting, steps: int = 2, *, landmarks: bool = False
) -> tuple[Trace, int]:
    """`trace_step` of a model that is built already; `setting.model` is not looked at, `steps` counts for our loop.

    landmarks  set the marks that `moments` needs; for decoders whose layers have an `mlp`
    """
    adapt(subject, setting.method, adapter_dtype=torch.float32 if setting.adapter_fp32 else None)
    if setting.checkpointing:
        _checkpoint(subject)
    tracker = StorageTracker(subject.vocabulary)
    trainable = sum(p.numel() for p in subject.model.parameters() if p.requires_grad)
    handles = watch_model(tracker, subject.model)
    if landmarks:
        handles += watch_layers(tracker, subject.language_model)
    with tracker, cuda_kernels(), stepping():
        _run(setting, subject, tracker, steps)
    for handle in handles:
        handle.remove()
    return tracker.trace, trainable


def explain(setting: Setting) -> tuple[Trace, Replay]:
    """The trace and its replay, for who is alive at the peak."""
    trace, _ = trace_step(setting)
    return trace, replay(trace, workspace=_workspace(card(setting.gpu)))


def _run(setting: Setting, subject: Subject, tracker: StorageTracker, steps: int) -> None:
    def optimizer(model: nn.Module) -> torch.optim.Optimizer:
        return make_optimizer(setting.optimizer, list(model.parameters()))

    if setting.loop == "ours":
        size = Size(setting.batch, setting.length, setting.supervised)
        loops.trace_ours(subject, tracker, optimizer, size, accumulation=setting.accumulation, steps=steps)
    elif setting.loop == "plain":
        loops.trace_plain(subject.language_model, tracker, optimizer, setting.batch, setting.length)
    else:
        loops.trace_published(subject.language_model, tracker, optimizer)


def _checkpoint(subject: Subject) -> None:
    model: Any = subject.language_model
    # The method was renamed in transformers 5; the first positional argument stayed.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False, "preserve_rng_state": False})
    model.train()


def _workspace(device: Card) -> int:
    return WORKSPACE_HOPPER if device.hopper else WORKSPACE


def with_size(setting: Setting, *, batch: int | None = None, length: int | None = None) -> Setting:
    """The same setting at another size."""
    return replace(setting, batch=batch or setting.batch, length=length or setting.length)
