"""What one picture adds to each point of the closed form, measured on MGM's own geometry.

Per row a picture brings its pixels, and whatever the mining keeps of it; the positions it takes in the row are counted
in T already. So a step with one picture on a decoder of few layers, less the formula for the same T, is a constant per
row. Two more points stand for the pictures alone: `forward/picture`, the highest moment before the decoder, and
`backward/picture`, the highest after it, when the projectors train.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from lora_demo.memory.formula import closed_form
from lora_demo.memory.formula.closed_form import ALL, COUNTED, Dimensions, Request
from lora_demo.memory.formula.labels import DECODER_LAYER, LabelledTracker
from lora_demo.memory.formula.points import PHASES, Variant, point_of
from lora_demo.memory.predict import Setting, trace_subject
from lora_demo.memory.subjects.subject import PlannedSubject
from lora_demo.models.config import MGMConfig
from lora_demo.models.mgm import MGM

LAYERS, RANK, TEXT, SUPERVISED = 3, 16, 64, 16
BEFORE, AFTER = "forward/picture", "backward/picture"
Parts = dict[str, float]


def with_images(content: dict[str, Any], name: str, config: MGMConfig, only: str = "") -> None:
    """Fill `models[name]["image"]["variants"]`, and give the variants of Gemma's family their two further points.

    only   start of the variants' names
    """
    model = Dimensions(**content["models"][name] | {"layers": LAYERS})
    for variant, points in content["variants"].items():
        if variant.startswith("gemma/") and variant.startswith(only):
            points.setdefault(BEFORE, {})
            points.setdefault(AFTER, {"gradients": points["update"]["gradients"]})
            content["models"][name]["image"]["variants"][variant] = _added(variant, points, config, model)


def _added(name: str, points: dict[str, Any], config: MGMConfig, model: Dimensions) -> dict[str, Parts]:
    _, method, dtype, recompute, logits = name.split("/")
    variant = Variant("gemma", method, dtype == "fp32", recompute == "recompute", logits == "selected")
    length = config.image_tokens + TEXT
    tracker = _step(variant, config, length)
    request = Request(
        method=method,
        rank=RANK,
        targets=ALL,
        length=length,
        supervised=SUPERVISED if variant.selected else None,
        checkpointing=variant.checkpointing,
        adapter_fp32=variant.adapter_fp32,
    )
    seen = dict(_alive(tracker, points))
    formula = {
        point: closed_form.at(point, terms, request, closed_form.variables(model, request))
        for point, terms in points.items()
    }
    return {
        point: {kind: round(seen[point][kind] - formula[point][kind]) for kind in COUNTED}
        for point in points
        if point in seen
    }


def _step(variant: Variant, config: MGMConfig, length: int) -> LabelledTracker:
    few = replace(config, llm=replace(config.llm, num_hidden_layers=LAYERS))
    with torch.device("meta"):
        subject = PlannedSubject(MGM(few).to(torch.bfloat16))
    method = "full" if variant.method == "full" else f"lora:r={RANK},targets=all"
    setting = Setting(
        model="",
        method=method,
        length=length,
        checkpointing=variant.checkpointing,
        supervised=SUPERVISED if variant.selected else None,
        adapter_fp32=variant.adapter_fp32,
    )
    tracker = LabelledTracker(subject.vocabulary)
    trace_subject(subject, setting, steps=1, tracker=tracker)
    return tracker


def _alive(tracker: LabelledTracker, points: dict[str, Any]) -> Iterator[tuple[str, Parts]]:
    """Bytes by kind at each of the formula's points, and at the two of the pictures' own."""
    live: Parts = defaultdict(float)
    highest: dict[str, Parts] = {}
    decoded = False
    for event in tracker.trace.events:
        storage = tracker.trace[abs(event)]
        if storage.kind not in COUNTED:
            continue
        live[storage.kind] += storage.nbytes if event > 0 else -storage.nbytes
        if event < 0 or storage.phase not in PHASES:
            continue
        label = tracker.labels[event - 1]
        decoded = decoded or bool(DECODER_LAYER.search(label))
        point = point_of(label, LAYERS)
        if point in points:
            yield point, defaultdict(float, live)
        own = _own(label, decoded=decoded)
        if own and sum(live.values()) > sum(highest.get(own, {}).values()):
            highest[own] = defaultdict(float, live)
    yield from highest.items()


def _own(label: str, *, decoded: bool) -> str | None:
    """The picture's own point that an allocation outside the decoder counts for."""
    if not decoded:
        return BEFORE
    outside = label.startswith("backward/") and not ("language_model" in label or label.startswith("backward/loss"))
    return AFTER if outside else None
