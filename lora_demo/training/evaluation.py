"""How often the model's answer is exactly right, and what it loses without its picture.

One forward with the right answer as input decides what greedy generation would write: if at every position of the
answer (its end marks included) the most likely token is the right one, generation writes exactly that answer; at the
first position where it is not, generation writes something else. A test holds this against real generation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lora_demo.models.towers import TowerFeatures
from lora_demo.training.preparation.sources import Source, micro_batch
from lora_demo.training.step import MicroBatch

Blinded = Literal["nothing", "aux", "both"]


@dataclass(frozen=True)
class Evaluation:
    """loss per supervised token; share of rows answered exactly right; the same by group; how many rows"""

    loss: float
    accuracy: float
    by_group: Mapping[str, float]
    rows: int

    def to_json(self) -> dict[str, Any]:
        return {"loss": self.loss, "accuracy": self.accuracy, "by_group": dict(self.by_group), "rows": self.rows}


def read_back(found: Mapping[str, Any] | None) -> Evaluation | None:
    """What `to_json` wrote."""
    return Evaluation(**found) if found else None


@torch.no_grad()
def evaluate(
    model: nn.Module,
    source: Source,
    *,
    rows: int | None = None,
    batch: int = 128,
    blind: Blinded = "nothing",
    forward: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Answer the first `rows` rows (default: all) in eval mode; training mode is restored.

    blind    "aux" zeroes the high-resolution view, "both" blanks the picture altogether
    forward  further keyword arguments of the model; MGM takes supervised_only
    """
    training = model.training
    model.eval()
    try:
        return _evaluate(model, source, min(rows or len(source), len(source)), batch, blind, forward or {})
    finally:
        model.train(training)


def _evaluate(
    model: nn.Module, source: Source, rows: int, batch: int, blind: Blinded, forward: Mapping[str, Any]
) -> Evaluation:
    loss, terms = 0.0, 0
    right: dict[str, list[bool]] = defaultdict(list)
    for indices in _by_length(source, rows, batch):
        micro = blinded(micro_batch(source.inputs(indices), model, _device(model)), blind, model)
        output = model(**micro.inputs, **forward, denominator=1.0)
        loss, terms = loss + float(output.loss), terms + micro.terms
        for index, hit in zip(indices, rows_right(output.logits, micro), strict=True):
            right[source.group(index)].append(hit)
    by_group = {group: sum(hits) / len(hits) for group, hits in sorted(right.items())}
    total = sum(sum(hits) for hits in right.values())
    return Evaluation(loss / terms, total / rows, by_group, rows)


def rows_right(logits: Tensor, micro: MicroBatch) -> list[bool]:
    """Per row: is the most likely token the right one at every supervised position?

    logits  (supervised positions, vocabulary), as MGM gives them with supervised_only, or (rows, cells, classes)
    """
    if "cells" in micro.inputs:
        return (logits.argmax(-1) == micro.inputs["cells"]).all(-1).tolist()
    places = micro.inputs["plan"].supervised
    targets = torch.tensor([target for _, _, target in places], device=logits.device)
    hits = (logits.argmax(-1) == targets).tolist()
    right = [True] * len(micro.inputs["plan"].rows)
    for (row, _, _), hit in zip(places, hits, strict=True):
        right[row] = right[row] and hit
    return right


def blinded(micro: MicroBatch, blind: Blinded, model: Any) -> MicroBatch:
    """The batch with the large view, or both views, replaced by zeros: what a row without picture carries."""
    if blind == "nothing":
        return micro
    inputs = dict(micro.inputs)
    if "features" in inputs:
        inputs["features"] = _blind_features(inputs["features"], blind, model)
    else:
        inputs["images_aux"] = torch.zeros_like(inputs["images_aux"])
        inputs["images"] = inputs["images"] if blind == "aux" else torch.zeros_like(inputs["images"])
    return replace(micro, inputs=inputs)


def _blind_features(features: TowerFeatures, blind: Blinded, model: Any) -> TowerFeatures:
    clip, aux = model.config.clip.image_size, model.config.aux.image_size
    device = features.query.device
    dark = model.see(torch.zeros(1, 3, clip, clip, device=device), torch.zeros(1, 3, aux, aux, device=device))
    count = len(features.query)
    stages = tuple(stage.expand(count, -1, -1, -1) for stage in dark.stages)
    query = features.query if blind == "aux" else dark.query.expand(count, -1, -1)
    return TowerFeatures(query, stages)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _by_length(source: Source, rows: int, batch: int) -> list[Sequence[int]]:
    """Rows of similar length together: less padding, same result."""
    ordered = sorted(range(rows), key=source.encoded_length)
    return [ordered[start : start + batch] for start in range(0, rows, batch)]
