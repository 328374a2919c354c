"""Peak memory of a training step on a GPU, predicted without one.

Trace the real step on the meta device (`tracker`), with CUDA's kernels stood in for (`cuda_kernels`), then replay its
allocations through the model of the caching allocator (`trace`, `allocator`).

Known limits: no autocast (recipes that ask for it: `recipe_trace`) and no torch.compile; one stream and the allocator's
default settings; convolution workspaces and auto-tuned kernels left out; the set-up before the first step left out (an
initialisation by singular vectors may take more than a step); shapes that depend on values taken at the upper bound
(`neutral`, `peft_stand_ins`); several devices by arithmetic (`shards`); kernels of bitsandbytes as described in
`quantised_base`.
"""

from __future__ import annotations

import time
import warnings
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from lora_demo.memory.cards import Card, card
from lora_demo.memory.shards import sharded, units
from lora_demo.memory.subjects.build import adapt, build_subject
from lora_demo.memory.subjects.peft_as_published import as_published
from lora_demo.memory.subjects.peft_stand_ins import stepping
from lora_demo.memory.subjects.quantised_base import BaseName
from lora_demo.memory.subjects.subject import Size, Subject, SubjectError, learned_positions
from lora_demo.memory.tracing import loops
from lora_demo.memory.tracing.cuda_kernels import WORKSPACE, WORKSPACE_HOPPER, cuda_kernels
from lora_demo.memory.tracing.optimizer_choice import OptimizerName, make_optimizer
from lora_demo.memory.tracing.published_lengths import BATCH, LONGEST
from lora_demo.memory.tracing.trace import Kind, Replay, Trace, replay
from lora_demo.memory.tracing.tracker import StorageTracker, watch_model
from lora_demo.training.engine.optimizers import EIGHT_BIT
from lora_demo.training.preparation.savers import recompute_layers, tile_feedforward

LoopName = Literal["ours", "plain", "published"]
LOOPS: tuple[LoopName, ...] = get_args(LoopName)
OURS_ONLY = {"supervised": "--selected-logits", "loss_chunk": "--loss-chunk"}
MOST_MICRO_BATCHES = 256
LARGEST = 1 << 31


@dataclass(frozen=True)
class Setting:
    """Everything that a prediction depends on.

    model            preset or folder with config.json
    method           "full", one of our methods with its settings, or a PEFT adapter folder
    supervised       compute logits at this many positions per row only; None: whole logits
    adapter_fp32     adapters in float32, as PEFT makes them on a bf16 base
    base             bf16, or the language model's linear layers in bitsandbytes' NF4 or int8
    loss_chunk       form the loss at so many supervised positions at a time, without logits
    feedforward_tile run each feed-forward so many positions at a time, recomputing each tile
    shards           devices that share weights, gradients and optimizer state, on paper: see `shards`
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
    base: BaseName = "bf16"
    loss_chunk: int | None = None
    feedforward_tile: int | None = None
    shards: int = 1


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
    subject = build_subject(setting.model, setting.base)
    trace, trainable = trace_subject(subject, setting)
    result = replay(trace, workspace=_workspace(device))
    result = sharded(result, units(subject.model), setting.shards)
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
    return trace_subject(build_subject(setting.model, setting.base), setting)


def trace_subject(
    subject: Subject, setting: Setting, steps: int = 2, *, tracker: StorageTracker | None = None
) -> tuple[Trace, int]:
    """`trace_step` of a model that is built already; `setting.model` is not looked at, `steps` counts for our loop."""
    with as_published() if setting.loop == "published" else nullcontext():
        return _traced(subject, setting, steps, tracker or StorageTracker(subject.vocabulary))


def _traced(subject: Subject, setting: Setting, steps: int, tracker: StorageTracker) -> tuple[Trace, int]:
    _check(setting, subject)
    adapt(subject, setting.method, adapter_dtype=torch.float32 if setting.adapter_fp32 else None, base=setting.base)
    _save(subject, setting)
    trainable = sum(p.numel() for p in subject.model.parameters() if p.requires_grad)
    handles = watch_model(tracker, subject.model)
    with tracker, cuda_kernels(), stepping(), warnings.catch_warnings():
        # The hooks are the tracker's own, and it does without those that PEFT passes by.
        warnings.filterwarnings("ignore", message="One of the base layers adapted with .* hooks set")
        _run(setting, subject, tracker, steps)
    for handle in handles:
        handle.remove()
    return tracker.trace, trainable


def _check(setting: Setting, subject: Subject) -> None:
    """Raises SubjectError for numbers out of bounds, switches that do not go together, and rows longer than the
    model's table of positions; those that it would cut are refused by the subject."""
    Size(setting.batch, setting.length, setting.supervised)
    for name in ("accumulation", "loss_chunk", "feedforward_tile", "shards"):
        value = getattr(setting, name)
        if value is not None and not 1 <= value < LARGEST:
            raise SubjectError(f"{name.replace('_', '-')}={value}: must be at least 1 and below {LARGEST}")
    if setting.accumulation > MOST_MICRO_BATCHES:
        raise SubjectError(
            f"accumulation={setting.accumulation}: at most {MOST_MICRO_BATCHES} micro-batches are traced; each after "
            f"the second adds no more than its own inputs, so take {MOST_MICRO_BATCHES}"
        )
    _check_loop(setting)
    _check_shards(setting)
    most = learned_positions(subject.language_model)
    if most is not None and setting.loop != "published" and setting.length > most:
        raise SubjectError(f"seq={setting.length}: the model's table of positions has {most} rows")


def _check_loop(setting: Setting) -> None:
    """The other loops have no use for some switches: a prediction must not look as if it had taken them."""
    if setting.loop == "ours":
        return
    for name, option in OURS_ONLY.items():
        if getattr(setting, name) is not None:
            raise SubjectError(f"{option} belongs to our own step; loop {setting.loop} computes whole logits")
    if setting.accumulation > 1:
        raise SubjectError(f"--accumulation belongs to our own step; loop {setting.loop} updates after every batch")
    if setting.loop == "published" and (setting.batch, setting.length) != (BATCH, LONGEST):
        raise SubjectError(
            f"loop published has batches of its own, {BATCH} rows of at most {LONGEST} positions; leave --batch and "
            "--seq out"
        )


def _check_shards(setting: Setting) -> None:
    """What training refuses to shard: it works on whole parameters."""
    whole = {
        f"--optimizer {setting.optimizer} scales blocks of whole tensors": setting.optimizer in EIGHT_BIT,
        f"--base {setting.base} packs whole layers": setting.base != "bf16",
    }
    for reason, holds in whole.items():
        if holds and setting.shards > 1:
            raise SubjectError(f"shards={setting.shards}: {reason}, which cannot be sharded; leave one of the two out")


def explain(setting: Setting) -> tuple[Trace, Replay]:
    """The trace and its replay, for who is alive at the peak."""
    trace, _ = trace_step(setting)
    return trace, replay(trace, workspace=_workspace(card(setting.gpu)))


def _run(setting: Setting, subject: Subject, tracker: StorageTracker, steps: int) -> None:
    def optimizer(model: nn.Module) -> torch.optim.Optimizer:
        return make_optimizer(setting.optimizer, list(model.parameters()))

    if setting.loop == "ours":
        size = Size(setting.batch, setting.length, setting.supervised)
        loops.trace_ours(
            subject,
            tracker,
            optimizer,
            size,
            accumulation=setting.accumulation,
            loss_chunk=setting.loss_chunk,
            steps=steps,
        )
    elif setting.loop == "plain":
        loops.trace_plain(subject.language_model, tracker, optimizer, setting.batch, setting.length)
    else:
        loops.trace_published(subject.language_model, tracker, optimizer)


def _save(subject: Subject, setting: Setting) -> None:
    """The savers that training puts on a model."""
    try:
        if setting.feedforward_tile is not None:
            tile_feedforward(subject.language_model, setting.feedforward_tile)
        if setting.checkpointing:
            recompute_layers(subject.language_model)
    except ValueError as error:
        raise SubjectError(str(error)) from error
    subject.language_model.train()


def _workspace(device: Card) -> int:
    return WORKSPACE_HOPPER if device.hopper else WORKSPACE


def with_size(setting: Setting, *, batch: int | None = None, length: int | None = None) -> Setting:
    """The same setting at another size."""
    return replace(setting, batch=batch or setting.batch, length=length or setting.length)
