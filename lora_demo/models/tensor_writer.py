"""Writing safetensors files of any size through a small buffer: the counterpart of `tensor_files`.

`safetensors.torch.save_file` holds a second copy of everything it writes; a model that just fits would not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lora_demo.models.tensor_files import PIECE, Entry

NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
SHARD = 4 * 2**30
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class Source:
    """A tensor to be written: its type and shape, and its values in flat pieces, in order, of any float type."""

    entry: Entry
    pieces: Iterable[Tensor]

    @property
    def nbytes(self) -> int:
        return self.entry.numel * self.entry.dtype.itemsize


def from_tensor(tensor: Tensor, dtype: torch.dtype) -> Source:
    """A tensor in memory."""
    flat = tensor.detach().reshape(-1)
    step = max(1, PIECE // flat.element_size())
    return Source(
        Entry(dtype, tuple(tensor.shape)), (flat[start : start + step] for start in range(0, len(flat), step))
    )


def write_sharded(folder: Path, tensors: Mapping[str, Source], *, shard: int = SHARD) -> list[Path]:
    """`model.safetensors`, or numbered shards of at most `shard` bytes with an index; returns the weight files."""
    groups = list(_groups(tensors, shard))
    if len(groups) == 1:
        return [write(folder / WEIGHTS, tensors)]
    names = [f"model-{number:05}-of-{len(groups):05}.safetensors" for number in range(1, len(groups) + 1)]
    files = [
        write(folder / name, {key: tensors[key] for key in keys}) for name, keys in zip(names, groups, strict=True)
    ]
    total = sum(source.nbytes for source in tensors.values())
    weight_map = {key: name for name, keys in zip(names, groups, strict=True) for key in keys}
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return files


def write(path: Path, tensors: Mapping[str, Source]) -> Path:
    """One file: 8 bytes of header length, the header as JSON, then the tensors' bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for key, source in tensors.items():
        start, end = end, end + source.nbytes
        shape = list(source.entry.shape)
        header[key] = {"dtype": NAMES[source.entry.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    # Padded so that the first tensor is aligned, as readers that map the file expect.
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for key, source in tensors.items():
            written = sum(stream.write(_bytes(piece, source.entry.dtype)) for piece in source.pieces)
            if written != source.nbytes:
                raise ValueError(f"{path}: {key} gave {written} bytes, its shape needs {source.nbytes}")
    return path


def _groups(tensors: Mapping[str, Source], limit: int) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for key, source in tensors.items():
        if group and size + source.nbytes > limit:
            yield group
            group, size = [], 0
        group.append(key)
        size += source.nbytes
    yield group


def _bytes(piece: Tensor, dtype: torch.dtype) -> Any:
    """Any buffer that a file takes."""
    return piece.to("cpu", dtype).contiguous().view(torch.uint8).numpy().data
