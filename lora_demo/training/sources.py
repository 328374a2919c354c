"""Where rows come from: anything with a length, that makes a batch of the rows asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lora_demo.data.collate import Collator
from lora_demo.data.dataset import ConversationData
from lora_demo.data.nano_set import NanoSet, cell_classes
from lora_demo.models.mgm import MGM
from lora_demo.models.towers import TowerFeatures
from lora_demo.training.step import MicroBatch


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
    """Digit grids with the class of every cell: what the nano towers learn before they are frozen."""

    def __init__(self, data: NanoSet) -> None:
        self.data = data

    def __len__(self) -> int:
        return self.data.pictures

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        small, large = self.data.views(indices)
        return {"images": small, "images_aux": large, "cells": cell_classes(self.data, indices)}

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


def seen(data: NanoSet, model: MGM, *, chunk: int = 128) -> SeenSource:
    """Run the towers over every picture of the set, `chunk` at a time."""
    parts = []
    for start in range(0, data.pictures, chunk):
        parts.append(model.see(*data.views(range(start, min(start + chunk, data.pictures)))))
    stages = tuple(torch.cat(maps) for maps in zip(*(part.stages for part in parts), strict=True))
    return SeenSource(data, TowerFeatures(torch.cat([part.query for part in parts]), stages))


def select(features: TowerFeatures, which: Tensor) -> TowerFeatures:
    """The features of the pictures with these numbers."""
    return TowerFeatures(features.query[which], tuple(stage[which] for stage in features.stages))


def micro_batch(source: Source, indices: Sequence[int], model: Any) -> MicroBatch:
    """Rows as the step takes them. For MGM the splice is planned here, once, on real ids: it counts the loss terms."""
    inputs = dict(source.inputs(indices))
    if "cells" in inputs:
        return MicroBatch(inputs, terms=inputs["cells"].numel())
    plan = model.plan(
        inputs["input_ids"], inputs["attention_mask"], inputs["labels"], images=len(inputs["input_ids"])
    )
    return MicroBatch({**inputs, "plan": plan}, terms=len(plan.supervised), tokens=sum(map(sum, plan.mask)))
