"""Samples to one batch of tensors, under the names that the model's call takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lora_demo.data.labels import IGNORE, Encoded
from lora_demo.data.views import ViewMaker, Views

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Sample:
    """One conversation, ready for a batch; `views` is None for text alone."""

    encoded: Encoded
    views: Views | None = None


class Batch(TypedDict):
    """`model(**batch)`. Lengths are those before the image placeholder expands."""

    input_ids: Int[Tensor, "B T"]
    labels: Int[Tensor, "B T"]
    attention_mask: Bool[Tensor, "B T"]
    images: Float[Tensor, "B 3 s s"]
    images_aux: Float[Tensor, "B 3 l l"]


@dataclass(frozen=True)
class Collator:
    """Pads to the longest sample: on the right for training, on the left for generation (`side`).

    pad      id that fills `input_ids`; the mask, not the id, says what is padding
    views    makes the zeros that a sample without picture carries
    """

    pad: int
    views: ViewMaker
    side: Side = "right"

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        if not samples:
            raise ValueError("a batch needs at least one sample")
        length = max(len(sample.encoded) for sample in samples)
        views = [sample.views or self.views.blank() for sample in samples]
        return Batch(
            input_ids=torch.tensor([self._fill(s.encoded.input_ids, length, self.pad) for s in samples]),
            labels=torch.tensor([self._fill(s.encoded.labels, length, IGNORE) for s in samples]),
            attention_mask=torch.tensor([self._fill([True] * len(s.encoded), length, False) for s in samples]),
            images=torch.stack([view.small for view in views]),
            images_aux=torch.stack([view.large for view in views]),
        )

    def _fill(self, values: Sequence[int], length: int, filler: int) -> list[int]:
        padding = [filler] * (length - len(values))
        return [*padding, *values] if self.side == "left" else [*values, *padding]
