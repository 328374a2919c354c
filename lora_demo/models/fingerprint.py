"""Which base an adapter was trained on: a few values of every weight that no adapter touches, hashed.

Shapes alone do not tell two trainings of one architecture apart, and an adapter on the wrong one is silently useless.
Values are rounded to bfloat16 first, so that a base loaded in another type stays the same base.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import nn

from lora_demo.models.tensor_files import CheckpointError
from lora_demo.models.towers import TOWERS
from lora_demo.results.store import write_atomically

FILE = "base.json"
SAMPLED = 16
UNTOUCHED = (*(f"{tower}." for tower in TOWERS), "language_model.model.embed_tokens.weight")


@torch.no_grad()
def of(model: nn.Module) -> str:
    """The fingerprint of an MGM model, with or without an adapter on it."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if name.startswith(UNTOUCHED):
            flat = parameter.detach().reshape(-1)
            places = evenly(flat.numel()).to(flat.device)
            values = flat[places].to(torch.bfloat16).cpu().view(torch.int16).numpy().tobytes()
            digest.update(f"{name} {tuple(parameter.shape)} ".encode() + values)
    return digest.hexdigest()


def evenly(size: int) -> torch.Tensor:
    """SAMPLED places from the first to the last of `size` values, or all of them."""
    # float64: float32 knows no odd numbers beyond 2**24, and the embedding has 2**29 values.
    return torch.linspace(0, size - 1, min(SAMPLED, size), dtype=torch.float64).long()


def save(fingerprint: str, folder: Path) -> None:
    """Note the base, as `of` tells it, beside what is trained on it."""
    write_atomically(folder / FILE, json.dumps({"fingerprint": fingerprint}) + "\n")


def require_same(model: nn.Module, folder: Path) -> bool:
    """Raise CheckpointError if the folder was trained on another base; False if it does not say on which."""
    path = folder / FILE
    if not path.is_file():
        return False
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    if noted != of(model):
        raise CheckpointError(
            f"{folder}: was trained on another base than this one (same shapes, other weights). Give the base it was "
            "trained on, or train it anew"
        )
    return True
