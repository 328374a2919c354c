"""The handwritten digits that come with scikit-learn, parted by source image: what trains never tests.

1,797 scans of 8 x 8 points with 17 grey levels (the test part of the UCI "optdigits" set, Alpaydin and Kaynak 1998).
Each class is shuffled once and cut 70 : 15 : 15, so every part holds all ten digits in the same proportions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SHARES = (0.70, 0.85, 1.0)
"""Where each part ends, as a fraction of a class."""
PARTING_SEED = 20240327
"""Fixed for good: another parting would let digits of the shipped base's training set into the test."""
CLASSES = 10
SIDE = 8


@dataclass(frozen=True)
class Digits:
    """The scans of one part. `source` is the position in scikit-learn's set, by which parts are disjoint."""

    pixels: Float[Tensor, "n 8 8"]
    labels: Int[Tensor, " n"]
    source: Int[Tensor, " n"]

    @property
    def first(self) -> Int[Tensor, " classes"]:
        """Where each class begins; the scans are sorted by class."""
        return torch.searchsorted(self.labels, torch.arange(CLASSES))

    @property
    def counts(self) -> Int[Tensor, " classes"]:
        return torch.bincount(self.labels, minlength=CLASSES)


@functools.cache
def digits(split: Split) -> Digits:
    """The scans of one part, sorted by class; ink is 1, paper 0."""
    pixels, labels = _bundled()
    generator = torch.Generator().manual_seed(PARTING_SEED)
    part = SPLITS.index(split)
    chosen: list[Tensor] = []
    for digit in range(CLASSES):
        members = torch.nonzero(labels == digit)[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        begin = round(len(members) * SHARES[part - 1]) if part else 0
        chosen.append(members[begin : round(len(members) * SHARES[part])])
    source = torch.cat(chosen)
    return Digits(pixels[source], labels[source], source)


@functools.cache
def _bundled() -> tuple[Float[Tensor, "n 8 8"], Int[Tensor, " n"]]:
    flat, labels = load_digits(return_X_y=True)
    pixels = torch.as_tensor(flat, dtype=torch.float32).view(-1, SIDE, SIDE) / 16
    return pixels, torch.as_tensor(labels, dtype=torch.long)
