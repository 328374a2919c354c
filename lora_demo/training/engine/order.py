"""In which order samples come: a pure function of seed and step, so that resuming needs no stored generator.

Each pass over the data is one permutation, seeded by (seed, pass). A batch that a pass cannot fill is left out, except
when the whole data set is smaller than one batch.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Order:
    """`size` samples in batches of `batch`."""

    size: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise ValueError(f"cannot cut {self.size} samples into batches of {self.batch}; both must be at least 1")

    @property
    def steps_per_epoch(self) -> int:
        return max(1, self.size // self.batch)

    def indices(self, step: int) -> list[int]:
        """The samples of step 0, 1, 2, …; any step can be asked for directly."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return list(_permutation(self.size, self.seed, epoch)[place * self.batch : (place + 1) * self.batch])


def share(indices: list[int], rank: int, processes: int) -> list[int]:
    """The samples of one process. Blocks in order: accumulation on one process then adds the very same parts."""
    start, end = (len(indices) * edge // processes for edge in (rank, rank + 1))
    return indices[start:end]


def cut(indices: list[int], size: int | None) -> list[list[int]]:
    """Micro-batches of at most `size`; None: all at once."""
    size = size or len(indices)
    return [indices[start : start + size] for start in range(0, len(indices), size)]


@functools.lru_cache(maxsize=4)
def _permutation(size: int, seed: int, epoch: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return tuple(torch.randperm(size, generator=generator).tolist())
