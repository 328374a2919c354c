"""An adapter on disk: a folder with one JSON file and one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lora_demo.methods.errors import MethodError


def write(directory: Path, files: tuple[str, str], config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write (config, tensors) under the two names, replacing an adapter of the same names; nothing else is replaced."""
    _refuse_foreign(directory, files)
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    old = fresh.with_name(fresh.name + ".old")
    try:
        (fresh / files[0]).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(content, fresh / files[1], metadata={"format": "pt"})
        for path in fresh.iterdir():
            _flush(path)
        fresh.chmod(0o755)
        if directory.exists():
            directory.replace(old)
        fresh.replace(directory)
    except BaseException:
        if old.exists() and not directory.exists():
            old.replace(directory)
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return directory


def read(directory: Path, files: tuple[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(config, tensors) of a folder; raises MethodError that names the file that is missing or broken."""
    try:
        config = json.loads((directory / files[0]).read_text(encoding="utf-8"))
        tensors = load_file(directory / files[1])
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise MethodError(f"{directory}: no readable adapter ({' and '.join(files)} are needed): {error}") from error
    if not isinstance(config, dict):
        raise MethodError(f"{directory / files[0]}: the top level must be an object")
    return config, tensors


def check(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], where: Path) -> None:
    """The tensors are exactly those expected, with their shapes, and finite; otherwise a MethodError with the names."""
    problems = [
        *(f"missing {name}" for name in shapes if name not in tensors),
        *(f"unexpected {name}" for name in tensors if name not in shapes),
        *(
            f"{name} has shape {tuple(tensors[name].shape)}, the model needs {tuple(shape)}"
            for name, shape in shapes.items()
            if name in tensors and tuple(tensors[name].shape) != tuple(shape)
        ),
        *(f"{name} holds NaN or infinity" for name, value in tensors.items() if not torch.isfinite(value).all()),
    ]
    if problems:
        more = f" (and {len(problems) - 4} more)" if len(problems) > 4 else ""
        raise MethodError(
            f"{where}: {'; '.join(problems[:4])}{more}. Nothing was loaded; was it saved from another base?"
        )


def _refuse_foreign(directory: Path, files: tuple[str, str]) -> None:
    foreign = sorted(path.name for path in directory.iterdir() if path.name not in files) if directory.exists() else []
    if foreign:
        raise MethodError(f"{directory}: holds {foreign[0]!r}, which is no adapter file: save into a folder of its own")


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
