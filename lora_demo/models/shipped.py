"""The base weights of mgm-nano that come with the package; `lora-demo train nano-pretrain` makes them again."""

from __future__ import annotations

from pathlib import Path

import torch

from lora_demo.models import weights
from lora_demo.models.mgm import MGM

FOLDER = Path(__file__).parent / "nano"
"""Written by `weights.save`. Its tokenizer is `lora_demo.data.tokenizer.nano()`."""


def load_nano(dtype: torch.dtype = torch.float32) -> MGM:
    """mgm-nano with its pretrained weights, in eval mode."""
    return weights.load(FOLDER, dtype=dtype)
