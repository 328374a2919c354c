"""Where rows come from: anything with a length, that makes a batch of the rows asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from lora_demo.data import nano_grid
from lora_demo.data.collate import Collator
from lora_demo.data.dataset import ConversationData
from lora_demo.data.nano_set import NanoSet, normalised_views
from lora_demo.data.views import ViewMaker
from lora_demo.models.mgm import MGM
from lora_demo.models.splice import ImageRun, Plan
from lora_demo.models.towers import TowerFeatures
from lora_demo.training.step import MicroBatch


@runtime_checkable
class Source(Protocol):
    """Rows by index, as keyword arguments of the model."""

    def __len__(self) -> int: ...

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        """Keyword arguments of the model for these rows."""
        ...

    def group(self, index: int) -> str:
        """By what evaluation sorts this row, e.g. its question kind."""
        ...

    def encoded_length(self, index: int) -> int:
        """Tokens of the row before its image expands."""
        ...


class NanoSource:
    """Digit grids, painted on demand."""

    def __init__(self, data: NanoSet) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        return {**self.data.batch(indices)}

    def group(self, index: int) -> str:
        return self.data.group(index)

    def encoded_length(self, index: int) -> int:
        return len(self.data.encoded(index))


class FolderSource:
    """A LLaVA-style file with its pictures."""

    def __init__(self, data: ConversationData) -> None:
        self.data = data
        self.collator = Collator(data.tokenizer.pad, data.views)

    def __len__(self) -> int:
        return len(self.data)

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        return {**self.collator([self.data[i] for i in indices])}

    def group(self, index: int) -> str:
        return "all"

    def encoded_length(self, index: int) -> int:
        return len(self.data[index].encoded)


class CellSource:
    """Digit grids with the class of every cell (0 empty, digit + 1): what the nano towers learn before they freeze."""

    def __init__(self, plan: nano_grid.Plan, views: ViewMaker) -> None:
        self.plan, self.views = plan, views

    def __len__(self) -> int:
        return len(self.plan)

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        which = torch.tensor(indices, dtype=torch.long)
        small, large = normalised_views(nano_grid.paint(self.plan, which, self.views.large), self.views)
        return {"images": small, "images_aux": large, "cells": self.plan.classes[which] + 1}

    def group(self, index: int) -> str:
        return "all"

    def encoded_length(self, index: int) -> int:
        return 0


@dataclass
class SeenSource:
    """A nano source whose pictures have gone through the frozen towers once; rows carry features instead of pictures.

    Only valid while the towers do not change. Memory: one float32 copy of all stage outputs.
    """

    data: NanoSet
    features: TowerFeatures

    def __len__(self) -> int:
        return len(self.data)

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        pictures = torch.tensor([self.data.picture_of(i) for i in indices])
        return {**self.data.text_batch(indices), "features": select(self.features, pictures)}

    def group(self, index: int) -> str:
        return self.data.group(index)

    def encoded_length(self, index: int) -> int:
        return len(self.data.encoded(index))


class SharedPictures:
    """Training on several questions per picture at the price of one: an index is a picture with all its rows.

    The picture is projected once, and every one of its rows takes the same image tokens.
    """

    def __init__(self, rows: SeenSource) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows.data.pictures

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        each = self.rows.data.per_image
        rows = [picture * each + k for picture in indices for k in range(each)]
        features = select(self.rows.features, torch.tensor(indices))
        shared = tuple(place for place in range(len(indices)) for _ in range(each))
        return {**self.rows.data.text_batch(rows), "features": features, "shared": shared}

    def group(self, index: int) -> str:
        return "all"

    def encoded_length(self, index: int) -> int:
        return 0


def seen(data: NanoSet, model: MGM, *, chunk: int = 128) -> SeenSource:
    """Run the towers over every picture of the set, `chunk` at a time, where they are; the features lie on the host."""
    parts = []
    for start in range(0, data.pictures, chunk):
        small, large = data.views(range(start, min(start + chunk, data.pictures)))
        parts.append(on_device(model.see(small.to(model.device), large.to(model.device)), "cpu"))
    stages = tuple(torch.cat(maps) for maps in zip(*(part.stages for part in parts), strict=True))
    return SeenSource(data, TowerFeatures(torch.cat([part.query for part in parts]), stages))


def select(features: TowerFeatures, which: Tensor) -> TowerFeatures:
    """The features of the pictures with these numbers."""
    return TowerFeatures(features.query[which], tuple(stage[which] for stage in features.stages))


def micro_batch(inputs: Mapping[str, Any], model: Any, device: torch.device | str = "cpu") -> MicroBatch:
    """Rows as the step takes them. For MGM the splice is planned here, once, on real ids: it counts the loss terms."""
    moved = {name: on_device(value, device) for name, value in inputs.items()}
    if "cells" in inputs:
        return MicroBatch(moved, terms=inputs["cells"].numel())
    shared = moved.pop("shared", None)
    images = len(inputs["input_ids"]) if isinstance(model, MGM) else None
    plan = model.plan(inputs["input_ids"], inputs["attention_mask"], inputs["labels"], images=images)
    plan = plan if shared is None else share_images(plan, shared)
    return MicroBatch({**moved, "plan": plan}, terms=len(plan.supervised), tokens=sum(map(sum, plan.mask)))


def share_images(plan: Plan, images: Sequence[int]) -> Plan:
    """The same layout, with row r taking image `images[r]` instead of one of its own."""
    rows = tuple(
        tuple(replace(run, image=images[run.image]) if isinstance(run, ImageRun) else run for run in row)
        for row in plan.rows
    )
    return replace(plan, rows=rows)


def on_device(value: Any, device: torch.device | str) -> Any:
    """A tensor, or features made of tensors, on the device."""
    if isinstance(value, TowerFeatures):
        return TowerFeatures(value.query.to(device), tuple(stage.to(device) for stage in value.stages))
    return value.to(device) if isinstance(value, Tensor) else value
