"""A model from its configuration, with images or without."""

from __future__ import annotations

from lora_demo.models.config import MGMConfig, TextConfig
from lora_demo.models.mgm import MGM
from lora_demo.models.text_model import TextModel


def build_model(config: MGMConfig | TextConfig) -> MGM | TextModel:
    """Freshly initialised; under `torch.device("meta")` it costs no memory."""
    return MGM(config) if isinstance(config, MGMConfig) else TextModel(config)
