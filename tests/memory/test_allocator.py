"""The caching allocator against its written rules, and against a second, naive implementation."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_demo.memory.tracing.allocator import CachingAllocator, DoubleFree, rounded, segment_size
from lora_demo.results.units import MIB


@pytest.mark.parametrize(
    ("request_size", "taken", "segment"),
    [
        (1, 512, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB, 10 * MIB),
        (21 * MIB // 2, 21 * MIB // 2, 12 * MIB),
    ],
)
def test_sizes_follow_the_pools(request_size: int, taken: int, segment: int) -> None:
    allocator = CachingAllocator()
    block = allocator.malloc(request_size)
    assert block.size == rounded(request_size) == taken
    assert allocator.reserved == segment_size(taken) == segment


def test_a_large_rest_below_one_mebibyte_stays_in_the_block() -> None:
    allocator = CachingAllocator()
    block = allocator.malloc(12 * MIB - MIB // 2)
    assert block.size == 12 * MIB
    assert allocator.allocated == 12 * MIB


def test_freed_neighbours_merge_and_serve_again() -> None:
    allocator = CachingAllocator()
    first, second = allocator.malloc(8 * MIB), allocator.malloc(8 * MIB)
    allocator.free(first)
    allocator.free(second)
    allocator.malloc(16 * MIB)
    assert allocator.reserved == 20 * MIB


def test_empty_cache_keeps_segments_in_use() -> None:
    allocator = CachingAllocator()
    kept, gone = allocator.malloc(8 * MIB), allocator.malloc(30 * MIB)
    allocator.free(gone)
    allocator.empty_cache()
    assert allocator.reserved == 20 * MIB
    allocator.free(kept)
    allocator.empty_cache()
    assert allocator.reserved == 0


def test_double_free_is_refused() -> None:
    allocator = CachingAllocator()
    block = allocator.malloc(100)
    allocator.free(block)
    with pytest.raises(DoubleFree, match="already free"):
        allocator.free(block)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40 * MIB)), max_size=60))
@settings(deadline=None)
def test_counters_add_up(requests: list[tuple[bool, int]]) -> None:
    """allocated is the sum of live blocks, never above reserved; everything freed and emptied leaves nothing."""
    allocator, live = CachingAllocator(), []
    for take, size in requests:
        if take or not live:
            live.append(allocator.malloc(size))
        else:
            allocator.free(live.pop(size % len(live)))
        assert allocator.allocated == sum(block.size for block in live)
        assert allocator.allocated <= allocator.reserved <= allocator.peak_reserved
    ranges = sorted((block.address, block.address + block.size) for block in live)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ranges))
    for block in live:
        allocator.free(block)
    allocator.empty_cache()
    assert allocator.allocated == allocator.reserved == 0
