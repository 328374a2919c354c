"""Where a folder's missing parts may lie: base directories given by hand or named in its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_demo.models import names
from lora_demo.models.adapters import base_of_adapter
from lora_demo.models.catalogue import (
    BESIDE_LORA,
    STAGE_1,
    Catalogue,
    Rename,
    openclip_weights,
    own_weights,
)
from lora_demo.models.config import MGMConfig
from lora_demo.models.released import CONFIG, GEOMETRY, read_geometry, read_json, read_released
from lora_demo.models.tensor_files import CheckpointError, TensorFile, open_tensors

CLIP_PROBE = "model.vision_tower.vision_tower.vision_model.embeddings.patch_embedding.weight"
AUX_PROBE = "model.vision_tower_aux.vision_stem.0.weight"
LLM_PROBE = "model.embed_tokens.weight"


Opener = Callable[[Path], list[TensorFile]]


@dataclass(frozen=True)
class Places:
    """A folder and the base directories given with it (None: those that the folder itself names)."""

    folder: Path
    base: Path | None = None
    clip: Path | None = None
    aux: Path | None = None

    def description(self) -> Path | None:
        """The file that describes the model: the folder's own, else the base's."""
        homes = [self.folder, *([base] if (base := self._base_directory()) else [])]
        found = [home / name for home in homes for name in (GEOMETRY, CONFIG) if (home / name).is_file()]
        return found[0] if found else None

    def collect(self) -> Catalogue:
        """Every weight that can be found. What the folder holds itself comes first; bases fill the gaps."""
        catalogue = Catalogue()
        for file in own_weights(self.folder):
            catalogue.add(file, str)
        _add_extra(catalogue, self.folder, BESIDE_LORA, names.released_from_adapter_folder)
        _add_extra(catalogue, self.folder, STAGE_1, str)
        self._fill(catalogue, LLM_PROBE, self.base, base_of_adapter(self.folder), _base_files, str)
        named = self._named_towers()
        clip, aux = named.get("mm_vision_tower"), named.get("mm_vision_tower_aux")
        self._fill(catalogue, CLIP_PROBE, self.clip, clip, own_weights, names.released_from_clip)
        self._fill(catalogue, AUX_PROBE, self.aux, aux, openclip_weights, names.released_from_openclip)
        return catalogue

    def config(self, catalogue: Catalogue) -> MGMConfig:
        """The model's configuration."""
        path = self.description()
        if path is None:
            raise CheckpointError(f"{self.folder}: has neither {GEOMETRY} nor {CONFIG}; give a folder with one of them")
        if path.name == GEOMETRY:
            return read_geometry(path)
        clip = self.clip or _resolve(self._named_towers().get("mm_vision_tower"), self.folder)
        return read_released(path, catalogue, clip)

    def _base_directory(self) -> Path | None:
        return self.base or _resolve(base_of_adapter(self.folder), self.folder)

    def _named_towers(self) -> dict[str, Any]:
        path = self.description()
        return read_json(path) if path is not None and path.name == CONFIG else {}

    def _fill(
        self, catalogue: Catalogue, probe: str, given: Path | None, named: Any, files: Any, rename: Rename
    ) -> None:
        if probe in catalogue.stored and given is None:
            return
        directory = given or _resolve(named, self.folder)
        if directory is None or not _is_directory(directory):
            if given or named:
                catalogue.searched.append(f"{given or named} (no such directory)")
            return
        found = files(directory)
        catalogue.add_missing(found, rename)
        if not found:
            catalogue.searched.append(f"{directory} (no weights in it)")


def _add_extra(catalogue: Catalogue, folder: Path, name: str, rename: Rename) -> None:
    if not (folder / name).is_file():
        return
    file = open_tensors(folder / name)
    if name == BESIDE_LORA:
        catalogue.add(file, rename)
    else:
        catalogue.add_missing([file], rename)


def _base_files(directory: Path) -> list[TensorFile]:
    stage_1 = [open_tensors(directory / STAGE_1)] if (directory / STAGE_1).is_file() else []
    return stage_1 + own_weights(directory)


def _resolve(named: Any, folder: Path) -> Path | None:
    """A directory that a configuration names: as written, below the folder, or beside it by its last part."""
    if not isinstance(named, str) or not named:
        return None
    written = Path(named)
    candidates = [written, folder / written, folder / written.name, folder.parent / written.name]
    return next((candidate for candidate in candidates if _is_directory(candidate)), None)


def _is_directory(candidate: Path) -> bool:
    try:
        return candidate.is_dir()
    except OSError:  # a name longer than any folder's
        return False
