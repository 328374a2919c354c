"""Loading an MGM model from a folder, and saving one.

A folder is ours (`geometry.json` + `model.safetensors` under released key names) or a released one (`config.json` of
MGM with sharded weights, towers inside or in base directories, a stage-1 `mm_projector.bin`, a LoRA run). Weights are
read piece by piece into a model built on the meta device: peak memory is the model's own plus one piece.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lora_demo.models import names
from lora_demo.models.adapters import apply_adapter, is_adapter
from lora_demo.models.catalogue import Catalogue, Stored, missing_error
from lora_demo.models.config import MGMConfig
from lora_demo.models.materialise import materialise
from lora_demo.models.mgm import MGM
from lora_demo.models.places import Places
from lora_demo.models.released import GEOMETRY
from lora_demo.models.tensor_files import NONFINITE_FIX, CheckpointError
from lora_demo.results.store import write_atomically

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class LoadReport:
    """What loading did.

    loaded      released keys, each read once
    missing     always empty in a report: missing weights are an error
    unexpected  "file: key" for what the model has no place for
    tied        keys that repeat a tied weight, compared instead of loaded
    dtypes      dtypes found in the files; `dtype` is what the model has now
    searched    files opened, in order
    adapter     the LoRA folder merged or attached, if any
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    tied: tuple[str, ...]
    dtypes: tuple[str, ...]
    dtype: str
    searched: tuple[str, ...]
    adapter: str | None

    def __str__(self) -> str:
        lines = [
            f"loaded {len(self.loaded)} weights ({', '.join(self.dtypes)} -> {self.dtype}), "
            f"missing {len(self.missing)}, unexpected {len(self.unexpected)}, tied copies {len(self.tied)}",
            *(f"  unexpected {key}" for key in self.unexpected[:20]),
            *(f"  from {place}" for place in self.searched),
        ]
        return "\n".join([*lines, f"  adapter {self.adapter}"] if self.adapter else lines)


def load(directory: str | Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> MGM:
    """The model in this folder, in eval mode. Options as for `load_reported`."""
    return load_reported(directory, dtype=dtype, **options)[0]


def load_reported(
    directory: str | Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    config: MGMConfig | None = None,
    base: str | Path | None = None,
    clip: str | Path | None = None,
    aux: str | Path | None = None,
    merge_adapter: bool = True,
    allow_nonfinite: bool = False,
) -> tuple[MGM, LoadReport]:
    """The model in this folder, and what loading it did.

    config           instead of reading it from the folder
    base             directory with what the folder lacks of the language model (stage-1 and LoRA folders)
    clip, aux        base directories of the towers, for folders without them; default: those the configuration names
    merge_adapter    add a LoRA folder's update to the weights; False leaves it attached as a PEFT model
    allow_nonfinite  accept NaN and infinity in weights

    Raises CheckpointError naming the file, the key and the fix.
    """
    folder = Path(directory)
    given = [None if path is None else Path(path) for path in (base, clip, aux)]
    model, catalogue = _without_values(Places(folder, *given), config)
    materialise(model, dtype=dtype, device=device)
    for ours, parameter in model.named_parameters():
        _read(catalogue.stored[names.released_from_ours(ours)], parameter, allow_nonfinite=allow_nonfinite)
    tied = _check_tied(model, catalogue)
    if is_adapter(folder):
        apply_adapter(model, folder, merge=merge_adapter, allow_nonfinite=allow_nonfinite)
    return model.eval(), _report(model, catalogue, tied, dtype, folder)


def inspect(directory: str | Path) -> MGMConfig:
    """The configuration of the model in this folder, after making sure that every weight is there in the right shape.

    Reads headers only. Raises CheckpointError as `load` does, but for NaN and infinity, which lie in the values.
    """
    return _without_values(Places(Path(directory)), None)[0].config


def stored_dtype(directory: str | Path) -> torch.dtype:
    """The type in which a checkpoint folder keeps the embedding, which is that of the language model."""
    stored = Places(Path(directory)).collect().stored.get("model.embed_tokens.weight")
    return stored.entry.dtype if stored else torch.float32


def save(model: MGM, directory: str | Path) -> Path:
    """Write `model.safetensors` under released names and `geometry.json`, each whole or not at all.

    Raises ValueError if the model carries parameters that a released file has no key for (adapters not merged).
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        plain = {name for name, _ in MGM(model.config).named_parameters()}
    parameters = dict(model.named_parameters())
    if different := sorted(plain.symmetric_difference(parameters)):
        raise ValueError(f"not a plain MGM model: {different[0]} and {len(different) - 1} more; merge adapters first")
    tensors = {names.released_from_ours(name): value.detach().contiguous() for name, value in parameters.items()}
    _save_atomically(tensors, folder / WEIGHTS)
    write_atomically(folder / GEOMETRY, json.dumps(model.config.to_dict(), indent=2) + "\n")
    return folder / WEIGHTS


def _without_values(places: Places, config: MGMConfig | None) -> tuple[MGM, Catalogue]:
    """The model on the meta device, and where its weights are."""
    if not places.folder.is_dir():
        raise CheckpointError(f"{places.folder}: no such directory")
    catalogue = places.collect()
    config = config or places.config(catalogue)
    try:
        with torch.device("meta"):
            model = MGM(config)
    except (ValueError, RuntimeError, LookupError, TypeError) as error:
        raise CheckpointError(f"{places.description()}: describes a model that cannot be built: {error}") from error
    _check_complete(model, catalogue)
    _require_all_layers(model, catalogue)
    return model, catalogue


def _check_complete(model: MGM, catalogue: Catalogue) -> None:
    expected = {names.released_from_ours(ours): parameter for ours, parameter in model.named_parameters()}
    if missing := [key for key in expected if key not in catalogue.stored]:
        raise missing_error(missing, catalogue)
    for key, parameter in expected.items():
        stored = catalogue.stored[key]
        if stored.entry.shape != tuple(parameter.shape):
            wanted = tuple(parameter.shape)
            raise CheckpointError(f"{stored.file.path}: {key} has shape {stored.entry.shape}, the model needs {wanted}")
        if not stored.entry.dtype.is_floating_point:
            raise CheckpointError(f"{stored.file.path}: {key} is stored as {stored.entry.dtype}, not as a float type")


def _require_all_layers(model: MGM, catalogue: Catalogue) -> None:
    """A whole layer more than the description has means that it describes another model, not a smaller one."""
    built = model.config.llm.num_hidden_layers
    first = [names.released_from_ours(name) for name, _ in model.named_parameters() if ".layers.0." in name]
    beyond = [key.replace("layers.0.", f"layers.{built}.") for key in first if key.startswith("model.layers.0.")]
    if beyond and all(key in catalogue.stored for key in beyond):
        raise CheckpointError(
            f"{catalogue.stored[beyond[0]].file.path}: holds a layer {built}, model.layers.{built}.*, but the "
            f"configuration says num_hidden_layers {built}; take the configuration that belongs to these weights"
        )


@torch.no_grad()
def _read(stored: Stored, target: Tensor, *, allow_nonfinite: bool) -> None:
    flat = target.view(-1)
    for start, piece in stored.file.pieces(stored.key):
        place = flat[start : start + piece.numel()].copy_(piece)
        if not allow_nonfinite and not _finite(place):
            found = "values too large for the model's type" if _finite(piece) else "NaN or infinity"
            raise CheckpointError(f"{stored.file.path}: {stored.key} holds {found}; {NONFINITE_FIX}")


def _finite(values: Tensor) -> bool:
    # The extremes carry NaN and infinity, and finding them takes a thirtieth of isfinite().all()'s time.
    return all(math.isfinite(extreme.item()) for extreme in values.aminmax())


def _check_tied(model: MGM, catalogue: Catalogue) -> tuple[str, ...]:
    """A file may repeat the embedding as `lm_head`; a copy that differs would be dropped silently, so it is refused."""
    stored = catalogue.stored.get(names.LLM_HEAD)
    if stored is None or not model.config.llm.tie_word_embeddings:
        return ()
    flat = model.language_model.lm_head.weight.detach().view(-1)
    for start, piece in stored.file.pieces(stored.key):
        own = flat[start : start + piece.numel()]
        if not torch.equal(own, piece.to(own.device, own.dtype)):
            raise CheckpointError(
                f"{stored.file.path}: {names.LLM_HEAD} differs from model.embed_tokens.weight, but the two are tied"
            )
    return (names.LLM_HEAD,)


def _report(model: MGM, catalogue: Catalogue, tied: tuple[str, ...], dtype: torch.dtype, folder: Path) -> LoadReport:
    with torch.device("meta"):
        expected = [names.released_from_ours(name) for name, _ in MGM(model.config).named_parameters()]
    known = set(expected) | set(tied)
    spare = [f"{stored.file.path.name}: {key}" for key, stored in catalogue.stored.items() if key not in known]
    return LoadReport(
        loaded=tuple(expected),
        missing=(),
        unexpected=(*catalogue.unexpected, *spare),
        tied=tied,
        dtypes=tuple(sorted({_spoken(catalogue.stored[key].entry.dtype) for key in expected})),
        dtype=_spoken(dtype),
        searched=tuple(catalogue.searched),
        adapter=str(folder) if is_adapter(folder) else None,
    )


def _spoken(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _save_atomically(tensors: dict[str, Tensor], path: Path) -> None:
    handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    os.close(handle)
    try:
        save_file(tensors, neighbour, metadata={"format": "pt"})
        Path(neighbour).chmod(0o644)
        Path(neighbour).replace(path)
    except BaseException:
        Path(neighbour).unlink(missing_ok=True)
        raise
