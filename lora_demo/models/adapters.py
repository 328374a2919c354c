"""PEFT adapter folders on top of the language model."""

from __future__ import annotations

import warnings
from pathlib import Path

from peft import PeftModel

from lora_demo.models.mgm import MGM
from lora_demo.models.released import read_json
from lora_demo.models.tensor_files import CheckpointError

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


def is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file()


def base_of_adapter(folder: Path) -> str | None:
    """The base model that the adapter's configuration names: a directory, or a name on a hub."""
    return read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path") if is_adapter(folder) else None


def apply_adapter(model: MGM, folder: Path, *, merge: bool) -> None:
    """Put the folder's adapter on the language model only; with `merge`, add its update to the weights.

    Loading goes through PEFT, which reads every adapter type it can write.
    """
    if not any((folder / name).is_file() for name in ADAPTER_WEIGHTS):
        raise CheckpointError(f"{folder}: has {ADAPTER_CONFIG} but neither of {', '.join(ADAPTER_WEIGHTS)}")
    try:
        adapted = _wrapped(model, folder)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder}: the adapter does not fit the language model: {error}") from error
    model.language_model = adapted.merge_and_unload() if merge else adapted


def _wrapped(model: MGM, folder: Path) -> PeftModel:
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 by a name that version has deprecated.
        warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated", category=FutureWarning)
        return PeftModel.from_pretrained(model.language_model, str(folder), low_cpu_mem_usage=True)
