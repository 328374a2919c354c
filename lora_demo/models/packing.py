"""Telling transformers that a row holds one sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import masking_utils


@contextmanager
def one_sequence_per_row() -> Iterator[None]:
    """Within, transformers does not look for several sequences packed into a row.

    Without a mask it searches the position ids for jumps, by value: that waits for the GPU, is impossible on meta
    tensors, and on fake tensors yields a materialised mask that the real step does not have, with other attention
    kernels and other memory. Our positions always run from 0 without a jump.
    """
    search = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = lambda *_, **__: None
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = search
