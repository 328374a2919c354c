"""Runs that had to end early, each with a message that says why and what is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from lora_demo.results.units import GIB

_CPU_ALLOCATOR = re.compile(r"DefaultCPUAllocator.*you tried to allocate (\d+) bytes", re.DOTALL)
_CUDA_ALLOCATOR = re.compile(r"Tried to allocate ([\d.]+ [KMG]iB)")
_DATA_WORKER = re.compile(r"DataLoader worker .*(exited unexpectedly|killed by signal)")
_PEER = re.compile(r"Connection (closed|reset)|closed by peer|Broken pipe|Socket (closed|Timeout)|timed out|NCCL", re.I)


class TrainingStopped(RuntimeError):
    """A run that had to end early; the message says why and what is left."""


class OutOfMemory(TrainingStopped):
    """A step that did not fit; the message says what was being allocated and what had been in use.

    doing  the part of the run that was under way
    """

    def __init__(self, doing: str, asked: str, used: str) -> None:
        super().__init__(f"out of memory in {doing}: {asked}; {used}")
        self.doing = doing


@contextmanager
def out_of_memory_named(doing: Callable[[], str]) -> Iterator[None]:
    """Turn the allocators' errors, on GPU and CPU, into one OutOfMemory; `doing` is asked when it happens."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        asked = allocation_refused(error)
        if asked is None:
            raise
        raise OutOfMemory(doing(), asked, in_use()) from error


def allocation_refused(error: BaseException) -> str | None:
    """What an allocator was asked for when it gave up; None for any other error."""
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError):
        found = _CUDA_ALLOCATOR.search(text)
        return f"{found[1]} were asked for" if found else text.splitlines()[0]
    if found := _CPU_ALLOCATOR.search(text):
        return f"{int(found[1]) / GIB:.2f} GiB were asked for"
    return "the host's memory is used up" if isinstance(error, MemoryError) else None


def in_use() -> str:
    """PyTorch's peak on the GPU, where there is one."""
    if not torch.cuda.is_available():
        return "no GPU is in use, so the host's memory was too small"
    allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return f"peak until then {allocated / GIB:.2f} GiB allocated, {reserved / GIB:.2f} GiB reserved"


def lost_worker(error: BaseException | None, processes: int) -> str | None:
    """What a helper process's death looks like from here; None for any other error."""
    if _DATA_WORKER.search(str(error)):
        return (
            "a process that loads data was killed (most often the host ran out of memory); "
            "lower workers, or set it to 0 to load in the training process"
        )
    if processes > 1 and _PEER.search(str(error)):
        return f"another process of this run is gone ({str(error).splitlines()[0]}); look at its output for the reason"
    return None
