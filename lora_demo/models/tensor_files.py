"""Reading checkpoint files piece by piece.

Tensors are read with plain file reads in pieces of `PIECE` bytes instead of memory mapping: mapped pages count as
resident memory, and a 3 GB shard mapped while a 6 GB model fills would be half a model too much.
"""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PIECE = 4 * 2**20

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "BOOL": torch.bool,
    "U8": torch.uint8,
}
_HEADER_LIMIT = 100_000_000
NONFINITE_FIX = "take an earlier state of it (in Python, weights.load(..., allow_nonfinite=True) loads it all the same)"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file, the tensor where there is one, and the fix."""


@dataclass(frozen=True)
class Entry:
    """One tensor as its file describes it."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


class SafetensorsFile:
    """A safetensors file: 8 bytes of header length, the header as JSON, then the tensors' bytes.

    `pieces` yields flat pieces of a tensor in order, each with the index of its first element.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header, self._data = _header(path)
        self._spans = {name: tuple(entry["data_offsets"]) for name, entry in header.items()}
        self.entries = {name: Entry(_DTYPES[entry["dtype"]], tuple(entry["shape"])) for name, entry in header.items()}
        for name in self.entries:
            self._check(name, path.stat().st_size)

    def pieces(self, key: str) -> Iterator[tuple[int, Tensor]]:
        entry, (start, stop) = self.entries[key], self._spans[key]
        step = PIECE // entry.dtype.itemsize * entry.dtype.itemsize
        with self.path.open("rb") as stream:
            stream.seek(self._data + start)
            for offset in range(0, stop - start, step):
                buffer = bytearray(min(step, stop - start - offset))
                if stream.readinto(buffer) != len(buffer):
                    raise CheckpointError(f"{self.path}: {key} ends early; fetch the file again")
                yield offset // entry.dtype.itemsize, torch.frombuffer(buffer, dtype=entry.dtype)

    def _check(self, name: str, size: int) -> None:
        entry, (start, stop) = self.entries[name], self._spans[name]
        if stop - start != entry.numel * entry.dtype.itemsize:
            raise CheckpointError(f"{self.path}: {name} has {stop - start} bytes, its shape {entry.shape} needs others")
        if self._data + stop > size:
            raise CheckpointError(
                f"{self.path}: truncated: {name} ends at byte {self._data + stop}, the file has {size}; fetch it again"
            )


class PickleFile:
    """A torch file holding one flat dictionary of tensors, read without running any code it may contain.

    Used like `SafetensorsFile`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Only the zip layout can be mapped; torch files older than 1.6 are read whole, once.
        self._mapped = zipfile.is_zipfile(path)
        content = _tensors(path, mapped=self._mapped)
        self._kept = None if self._mapped else content
        self.entries = {name: Entry(tensor.dtype, tuple(tensor.shape)) for name, tensor in content.items()}

    def pieces(self, key: str) -> Iterator[tuple[int, Tensor]]:
        # A fresh map for each tensor: pages that were read count as resident until their map is closed.
        tensors = _tensors(self.path, mapped=True) if self._kept is None else self._kept
        flat = tensors[key].detach().reshape(-1)
        step = PIECE // flat.element_size()
        for offset in range(0, flat.numel(), step):
            yield offset, flat[offset : offset + step]


TensorFile = SafetensorsFile | PickleFile


def open_tensors(path: Path) -> TensorFile:
    """The reader for this file, by its suffix."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    return SafetensorsFile(path) if path.suffix == ".safetensors" else PickleFile(path)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= _HEADER_LIMIT:
                raise ValueError("the header's length is not plausible")
            header = json.loads(stream.read(length).decode("utf-8"))
        header.pop("__metadata__", None)
        _check_header(header)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a safetensors file, or cut off inside its header: {error}") from error
    return header, 8 + length


def _check_header(header: dict[str, Any]) -> None:
    for name, entry in header.items():
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"{name} has the type {entry['dtype']}, which is not one of {', '.join(_DTYPES)}")
        start, stop = entry["data_offsets"]
        # A float would pass every comparison and fail at the first seek.
        if not all(type(number) is int for number in (start, stop, *entry["shape"])):
            raise ValueError(f"{name} has offsets or sides that are not whole numbers")
        if not 0 <= start <= stop or any(side < 0 for side in entry["shape"]):
            raise ValueError(f"{name} has impossible offsets or sides")


def _tensors(path: Path, *, mapped: bool) -> dict[str, Tensor]:
    content = _unpickle(path, mapped)
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: must hold one dictionary of tensors, found {type(content).__name__}")
    return content


def _unpickle(path: Path, mapped: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: refused: it holds more than tensors, or is damaged, and loading it could run code. "
            "Convert it to safetensors where you trust it, or fetch it again."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: not a torch file, or damaged: {_first_line(error)}; fetch it again") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
