"""PyTorch's CUDA caching allocator, as arithmetic: which bytes a sequence of allocations reserves.

Follows c10/cuda/CUDACachingAllocator.cpp with its default settings (no expandable segments, no max_split_size):

- a request is rounded up to 512 bytes;
- up to 1 MiB it is served from 2 MiB segments, below 10 MiB from 20 MiB segments, above from a segment of its own
  size rounded up to 2 MiB;
- the best-fitting free block of the pool is taken (smallest size, then lowest address) and split when the rest is
  at least 512 bytes (small pool) or more than 1 MiB (large pool);
- a freed block merges with its free neighbours; a segment goes back to the driver only through `empty_cache`.

Known limits: one stream, no out-of-memory retry (which would call `empty_cache` by itself), no fragmentation of the
driver's own address space.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from lora_demo.results.units import MIB

ROUND = 512
SMALL_REQUEST = MIB
SMALL_SEGMENT = 2 * MIB
MIDDLE_REQUEST = 10 * MIB
MIDDLE_SEGMENT = 20 * MIB
SEGMENT_GAP = 1 << 40  # segments never touch, so blocks of two segments never merge


class DoubleFree(ValueError):
    """A block was given back twice."""


@dataclass(slots=True, eq=False)
class Block:
    """A piece of a segment; `before` and `after` are its neighbours there."""

    address: int
    size: int
    small: bool
    used: bool = False
    before: Block | None = None
    after: Block | None = None


def rounded(nbytes: int) -> int:
    """Bytes that a request of `nbytes` asks the pools for."""
    return -(-nbytes // ROUND) * ROUND


def segment_size(size: int) -> int:
    """Bytes taken from the driver when no free block fits a rounded request of `size`."""
    if size <= SMALL_REQUEST:
        return SMALL_SEGMENT
    if size < MIDDLE_REQUEST:
        return MIDDLE_SEGMENT
    return -(-size // SMALL_SEGMENT) * SMALL_SEGMENT


class CachingAllocator:
    """Counts `allocated` and `reserved` bytes and their peaks while blocks are taken and given back."""

    def __init__(self) -> None:
        self.allocated = self.reserved = 0
        self.peak_allocated = self.peak_reserved = 0
        self._free: dict[bool, list[tuple[int, int, Block]]] = {True: [], False: []}
        self._segments = 0

    def malloc(self, nbytes: int) -> Block:
        """Take a block for `nbytes` > 0 bytes; its `size` is what counts as allocated."""
        if nbytes <= 0:
            raise ValueError(f"a block needs a positive size, not {nbytes}")
        size = rounded(nbytes)
        block = self._best_fit(size) or self._new_segment(size)
        self._split(block, size)
        block.used = True
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block

    def free(self, block: Block) -> None:
        """Give a block back; it merges with free neighbours and stays reserved."""
        if not block.used:
            raise DoubleFree(f"block of {block.size} bytes at {block.address:#x} is already free")
        block.used = False
        self.allocated -= block.size
        if block.after is not None and not block.after.used:
            self._forget(block.after)
            self._join(block, block.after)
        if block.before is not None and not block.before.used:
            self._forget(block.before)
            self._join(block.before, block)
            block = block.before
        self._remember(block)

    def empty_cache(self) -> None:
        """Return every wholly free segment to the driver."""
        for small, blocks in self._free.items():
            parts = [entry for entry in blocks if entry[2].before is not None or entry[2].after is not None]
            self.reserved -= sum(size for size, _, _ in blocks) - sum(size for size, _, _ in parts)
            self._free[small] = parts

    def _best_fit(self, size: int) -> Block | None:
        blocks = self._free[size <= SMALL_REQUEST]
        position = bisect.bisect_left(blocks, (size, 0))
        return blocks.pop(position)[2] if position < len(blocks) else None

    def _new_segment(self, size: int) -> Block:
        self._segments += 1
        block = Block(self._segments * SEGMENT_GAP, segment_size(size), size <= SMALL_REQUEST)
        self.reserved += block.size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return block

    def _split(self, block: Block, size: int) -> None:
        rest = block.size - size
        if not (rest >= ROUND if block.small else rest > SMALL_REQUEST):
            return
        remainder = Block(block.address + size, rest, block.small, before=block, after=block.after)
        if block.after is not None:
            block.after.before = remainder
        block.after, block.size = remainder, size
        self._remember(remainder)

    @staticmethod
    def _join(left: Block, right: Block) -> None:
        left.size += right.size
        left.after = right.after
        if right.after is not None:
            right.after.before = left

    def _remember(self, block: Block) -> None:
        bisect.insort(self._free[block.small], (block.size, block.address, block))

    def _forget(self, block: Block) -> None:
        blocks = self._free[block.small]
        del blocks[bisect.bisect_left(blocks, (block.size, block.address))]
