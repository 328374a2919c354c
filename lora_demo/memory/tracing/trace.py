"""What a traced step did with memory: a list of events, and what replaying them through the allocator gives."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, get_args

from lora_demo.memory.tracing.allocator import Block, CachingAllocator

Kind = Literal["weights_frozen", "weights_trainable", "gradients", "optimizer", "activations", "logits", "temporaries"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(slots=True)
class Storage:
    """One storage's life: its bytes, what it is for, and the module and phase that made it."""

    nbytes: int
    kind: Kind
    module: str
    phase: str
    shape: tuple[int, ...]
    dtype: str


@dataclass
class Trace:
    """Events in order: +i storage i appears, -i it dies (i counts from 1), 0 the cache is emptied."""

    events: list[int] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)

    def born(self, storage: Storage) -> int:
        self.storages.append(storage)
        self.events.append(len(self.storages))
        return len(self.storages)

    def died(self, number: int) -> None:
        self.events.append(-number)

    def cache_emptied(self) -> None:
        self.events.append(0)

    def __getitem__(self, number: int) -> Storage:
        return self.storages[number - 1]


@dataclass(frozen=True)
class Replay:
    """Bytes at the allocated peak by kind (adding up to `peak_allocated`), and the reserved peak."""

    peak_allocated: int
    peak_reserved: int
    parts: dict[Kind, int]
    alive: tuple[tuple[int, int], ...]  # (storage number, block bytes) at the peak


def replay(trace: Trace, *, workspace: int = 0) -> Replay:
    """Run the events through the caching allocator; `workspace` bytes (cuBLAS) are held from the start."""
    allocator = CachingAllocator()
    if workspace:
        allocator.malloc(workspace)
    held: dict[int, Block] = {}
    peak, peak_event = allocator.allocated, 0
    for position, event in enumerate(trace.events, start=1):
        _apply(allocator, trace, held, event)
        if allocator.allocated > peak:
            peak, peak_event = allocator.allocated, position
    alive = _alive_at(trace, peak_event, workspace)
    parts = _by_kind(trace, alive, peak)
    return Replay(peak, allocator.peak_reserved, parts, alive)


def _apply(allocator: CachingAllocator, trace: Trace, held: dict[int, Block], event: int) -> None:
    if event == 0:
        allocator.empty_cache()
    elif event > 0:
        held[event] = allocator.malloc(trace[event].nbytes)
    else:
        allocator.free(held.pop(-event))


def _alive_at(trace: Trace, until: int, workspace: int) -> tuple[tuple[int, int], ...]:
    """Replay again up to the peak: blocks may be larger than their request, so sizes are read off the allocator."""
    allocator = CachingAllocator()
    if workspace:
        allocator.malloc(workspace)
    held: dict[int, Block] = {}
    for event in trace.events[:until]:
        _apply(allocator, trace, held, event)
    return tuple((number, block.size) for number, block in held.items())


def _by_kind(trace: Trace, alive: tuple[tuple[int, int], ...], peak: int) -> dict[Kind, int]:
    """Sum by kind; what no storage holds is the workspace, a temporary."""
    parts: dict[Kind, int] = defaultdict(int)
    for number, size in alive:
        parts[trace[number].kind] += size
    parts["temporaries"] += peak - sum(parts.values())
    return {kind: parts[kind] for kind in KINDS}
