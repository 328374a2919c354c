"""What the frozen towers say about each picture, kept on disk: they run once per picture, and then never again.

One safetensors file per picture, named after its path, size and time of change; `towers.json` says which towers made
them. Once all are there the towers need not be on the GPU: for MGM-2B that is 0.9 GiB of weights and their work.
The files are large (about 26 MiB per picture for MGM-2B in bfloat16), so this serves small data sets.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lora_demo.data import images
from lora_demo.data.collate import Collator, Sample
from lora_demo.data.dataset import ConversationData
from lora_demo.data.folder import ImageFolder
from lora_demo.data.items import DataError, image_of, turns
from lora_demo.data.labels import encode
from lora_demo.data.views import ViewMaker
from lora_demo.models.mgm import MGM
from lora_demo.models.towers import TowerFeatures
from lora_demo.results.store import write_atomically
from lora_demo.results.units import GIB

TOWERS = "towers.json"
BLANK = "blank"
SAMPLED = 64
"""Values of each tower weight that go into the fingerprint."""


class FeatureFiles:
    """A folder of features made by this model's towers. Raises DataError for a folder made by other towers."""

    def __init__(self, folder: Path, model: MGM) -> None:
        self.folder, self.model = folder, model
        own = fingerprint(model)
        path = folder / TOWERS
        if path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("fingerprint") != own:
            raise DataError(f"{folder}: holds features of other towers; name an empty folder in data.features")
        write_atomically(path, json.dumps({"fingerprint": own, "model": model.config.name}) + "\n")

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def read(self, keys: Sequence[str]) -> TowerFeatures:
        """The features of these pictures as one batch."""
        found = [load_file(self._path(key)) for key in keys]
        stages = [torch.stack([one[name] for one in found]) for name in sorted(found[0]) if name != "query"]
        return TowerFeatures(torch.stack([one["query"] for one in found]), tuple(stages))

    def write(self, key: str, seen: TowerFeatures) -> None:
        """Keep one picture's features, whole or not at all."""
        tensors = {"query": seen.query[0], **{f"stage{i}": stage[0] for i, stage in enumerate(seen.stages)}}
        # Its own name in each process: several may fill one folder at once, with the same bytes.
        neighbour = self._path(f".{os.getpid()}-{key}")
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, neighbour)
        neighbour.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


class CachedSource:
    """A LLaVA-style file whose pictures the towers have seen; the constructor makes what is missing."""

    def __init__(self, data: ConversationData, files: FeatureFiles) -> None:
        self.data, self.files = data, files
        self.collator = Collator(data.tokenizer.pad, data.views)
        self._fill()

    def __len__(self) -> int:
        return len(self.data)

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        samples = [
            Sample(encode(turns(item), self.data.tokenizer, max_length=self.data.max_length))
            for item in self._items(indices)
        ]
        batch = self.collator(samples)
        text = {name: value for name, value in batch.items() if not name.startswith("images")}
        return {**text, "features": self.files.read([self._key(image_of(item)) for item in self._items(indices)])}

    def group(self, index: int) -> str:
        return "all"

    def encoded_length(self, index: int) -> int:
        return len(encode(turns(self.data.index.item(index)), self.data.tokenizer, max_length=self.data.max_length))

    def _items(self, indices: Sequence[int]) -> list[Any]:
        return [self.data.index.item(index) for index in indices]

    def _key(self, name: str | None) -> str:
        return BLANK if name is None else key_of(self.data.folder, name)

    def _fill(self) -> None:
        names = {self._key(name): name for name in map(image_of, self._items(range(len(self.data))))}
        missing = {key: name for key, name in names.items() if not self.files.has(key)}
        if not missing:
            return
        require_room(self.files.folder, len(missing), self.files.model)
        see = Seeing(self.files.model, self.data.views, self.data.folder)
        for key, name in missing.items():
            self.files.write(key, see(name))
        see.done()


class Seeing:
    """The towers at work, on the GPU if there is one; `done` takes them back to the host."""

    def __init__(self, model: MGM, views: ViewMaker, folder: ImageFolder) -> None:
        self.model, self.views, self.folder = model, views, folder
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._move(self.device)

    def __call__(self, name: str | None) -> TowerFeatures:
        views = self.views.blank() if name is None else self.views(images.read(self.folder.path(name)))
        return self.model.see(views.small[None].to(self.device), views.large[None].to(self.device))

    def done(self) -> None:
        self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        towers: list[nn.Module] = [self.model.vision_tower, self.model.vision_tower_aux]
        for tower in towers:
            tower.to(device)


def key_of(folder: ImageFolder, name: str) -> str:
    """Name of a picture's features: another file under the same path gets another name."""
    stat = folder.path(name).stat()
    return hashlib.sha256(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:32]


def bytes_per_picture(model: MGM) -> int:
    """Size of one picture's features, in the towers' dtype."""
    config, side = model.config, model.config.aux.map_side
    maps = sum(width * (side // 2**i) ** 2 for i, width in enumerate(config.aux.dims))
    values = config.image_tokens * config.clip.hidden_size + maps
    return values * next(model.vision_tower.parameters()).element_size()


def require_room(folder: Path, pictures: int, model: MGM) -> None:
    """Raise DataError if the disk cannot hold so many pictures' features."""
    needed, free = pictures * bytes_per_picture(model), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: features of {pictures} pictures take {needed / GIB:.1f} GiB, {free / GIB:.1f} GiB are free; "
            "set cache_features to false, or name a folder on a larger disk in data.features"
        )


def fingerprint(model: MGM) -> str:
    """Which towers these are: shapes, dtype and some values of every weight."""
    digest = hashlib.sha256()
    for tower in (model.vision_tower, model.vision_tower_aux):
        for name, weight in tower.named_parameters():
            some = weight.detach().flatten()[:SAMPLED].float().cpu().numpy().tobytes()
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode() + some)
    return digest.hexdigest()
