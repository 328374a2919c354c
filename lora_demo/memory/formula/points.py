"""Every allocation of a step as a point of the closed form: what is alive then, as a sum of monomials.

The probe (`symbols`) is traced with 3 layers, first, last and one between; what the one between has alive at a point is
what every further layer would have:

    alive(L) = alive(3) + (L - 3) * alive in the layer between

The layers between need no points of their own: from one to the next the same storages come or go, so what is alive at
the same place in each is linear in the layer's number and largest at one of the ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lora_demo.memory.formula import symbols
from lora_demo.memory.formula.labels import DECODER_LAYER, LabelledTracker
from lora_demo.memory.formula.probe_subject import probe_subject
from lora_demo.memory.predict import Setting, trace_subject
from lora_demo.memory.tracing.trace import Kind

Formula = dict[tuple[Kind, str], float]
"""(kind, monomial) -> bytes"""
COUNTED: tuple[Kind, ...] = ("gradients", "activations", "logits", "temporaries")
"""Weights and the optimizer's state follow from counts; they are not read off the trace."""
PHASES = ("forward", "backward")
"""Clipping and the update follow from counts as well; the batch itself is too small to count."""
LAYERS, BETWEEN = 3, 1
"""Layers of the probe, and the one read for all between first and last. Known: with a single one between, what the last
layer's forward finds alive is counted up to 3 % high; no step peaks there."""


@dataclass(frozen=True)
class Variant:
    """What has a formula of its own."""

    family: str
    method: str
    adapter_fp32: bool
    checkpointing: bool
    selected: bool

    @property
    def name(self) -> str:
        dtype = "fp32" if self.adapter_fp32 else "bf16"
        logits = "selected" if self.selected else "whole"
        return "/".join((self.family, self.method, dtype, "recompute" if self.checkpointing else "keep", logits))


def points(variant: Variant, targets: tuple[str, ...], *, tied: bool) -> dict[str, Formula]:
    """Point -> formula in L and the other dimensions, for one choice of targets (none for full fine-tuning)."""
    tracker = traced(variant, targets, tied=tied)
    return {point: _in_layers(whole, between) for point, whole, between in _alive(tracker)}


def traced(variant: Variant, targets: tuple[str, ...], *, tied: bool) -> LabelledTracker:
    """The first step of the probe; labels and storages stand in the same order."""
    subject = probe_subject(variant.family, LAYERS, tied=tied)
    method = "full" if variant.method == "full" else f"lora:r={symbols.RANK},targets={'+'.join(targets)}"
    setting = Setting(
        model="",
        method=method,
        batch=symbols.BATCH,
        length=symbols.LENGTH,
        checkpointing=variant.checkpointing,
        supervised=symbols.SUPERVISED if variant.selected else None,
        adapter_fp32=variant.adapter_fp32,
    )
    tracker = LabelledTracker(subject.vocabulary)
    trace_subject(subject, setting, steps=1, tracker=tracker)
    return tracker


def _alive(tracker: LabelledTracker) -> Iterator[tuple[str, Formula, Formula]]:
    """What is alive at each point up to the end of the backward pass: all of it, and the layer between's."""
    whole: Formula = defaultdict(float)
    between: Formula = defaultdict(float)
    for event in tracker.trace.events:
        storage = tracker.trace[abs(event)]
        if storage.kind not in COUNTED or storage.phase not in PHASES:
            continue
        label = tracker.labels[abs(event) - 1]
        monomial, bytes_ = symbols.read(storage.nbytes)
        whole[storage.kind, monomial] += bytes_ if event > 0 else -bytes_
        if layer_of(label) == BETWEEN:
            between[storage.kind, monomial] += bytes_ if event > 0 else -bytes_
        if event > 0 and (point := point_of(label, LAYERS)) is not None:
            yield point, whole, between


def layer_of(label: str) -> int | None:
    """The decoder layer that a label names."""
    found = DECODER_LAYER.search(label)
    return int(found[1]) if found else None


def point_of(label: str, layers: int) -> str | None:
    """The label with `first` or `last` for its layer; None for one between."""
    found = DECODER_LAYER.search(label)
    if found is None:
        return label.replace("language_model.", "").replace("model.", "")
    number = int(found[1])
    if 0 < number < layers - 1:
        return None
    phase = label.partition("/")[0]
    return f"{phase}/{'last' if number else 'first'}/{label[found.end() + 1 :]}"


def _in_layers(whole: Formula, between: Formula) -> Formula:
    formula: Formula = {}
    for (kind, monomial), bytes_ in whole.items():
        slope = between.get((kind, monomial), 0.0)
        if slope:
            formula[kind, f"L*{monomial}"] = slope
        if bytes_ != LAYERS * slope:
            formula[kind, monomial] = bytes_ - LAYERS * slope
    return formula
