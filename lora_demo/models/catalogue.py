"""Which file holds which weight."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lora_demo.models import names
from lora_demo.models.tensor_files import CheckpointError, Entry, TensorFile, open_tensors

Rename = Callable[[str], str | None]

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
OPENCLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
STAGE_1 = "mm_projector.bin"
BESIDE_LORA = "non_lora_trainables.bin"
LONGEST_NAME = 255
"""Of a file, on every file system in use; asking for a longer one is an error of its own."""


@dataclass(frozen=True)
class Stored:
    """One weight: its file, and its key there."""

    file: TensorFile
    key: str

    @property
    def entry(self) -> Entry:
        return self.file.entries[self.key]


@dataclass
class Catalogue:
    """Released key -> where it is stored; keys nobody claims; every place that was searched."""

    stored: dict[str, Stored] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)

    def add(self, file: TensorFile, rename: Rename) -> None:
        """Take over the file's keys; a key already known is replaced."""
        self.searched.append(str(file.path))
        for key in file.entries:
            released = rename(key)
            if released is not None and names.is_rebuilt(released):
                continue
            if released is None or names.ours_from_released(released) is None:
                self.unexpected.append(f"{file.path.name}: {key}")
            else:
                self.stored[released] = Stored(file, key)

    def add_missing(self, files: Iterable[TensorFile], rename: Rename) -> None:
        """Take over only keys not known yet."""
        own = dict(self.stored)
        for file in files:
            self.add(file, rename)
        self.stored.update(own)


def own_weights(directory: Path) -> list[TensorFile]:
    """The folder's main weights: all shards of its index, or its single file; empty if it has neither."""
    for name in INDICES:
        if (directory / name).is_file():
            return [open_tensors(path) for path in _shards(directory / name)]
    for name in WEIGHTS:
        if (directory / name).is_file():
            return [open_tensors(directory / name)]
    if parts := sorted(directory.glob("*-of-*.safetensors")):
        raise CheckpointError(f"{directory}: has shards such as {parts[0].name} but no {INDICES[0]}; fetch that too")
    return []


def openclip_weights(directory: Path) -> list[TensorFile]:
    """The file of an OpenCLIP directory."""
    found = [directory / name for name in OPENCLIP_WEIGHTS if (directory / name).is_file()]
    return [open_tensors(path) for path in found[:1]]


def missing_error(missing: list[str], catalogue: Catalogue) -> CheckpointError:
    """Names what was not found (up to 20 keys) and every place that was searched."""
    shown = "\n  ".join(missing[:20])
    more = f"\n  and {len(missing) - 20} more" if len(missing) > 20 else ""
    places = "\n  ".join(catalogue.searched) or "(nothing)"
    return CheckpointError(f"{len(missing)} weights are missing:\n  {shown}{more}\nsearched:\n  {places}")


def _shards(index: Path) -> list[Path]:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index}: not an index: it needs an object 'weight_map' ({error!r})") from error
    for shard in shards:
        inside = isinstance(shard, str) and Path(shard).name == shard
        if not inside:
            raise CheckpointError(f"{index}: names the shard {shard!r}, which is not a plain file name")
        if len(shard) > LONGEST_NAME or not (index.parent / shard).is_file():
            raise CheckpointError(f"{index}: names the shard {shard}, which is not there; fetch it")
    return [index.parent / shard for shard in shards]
