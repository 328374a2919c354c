"""PEFT adapter folders on top of the language model."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from peft import PeftModel, load_peft_weights, set_peft_model_state_dict

from lora_demo.models.mgm import MGM
from lora_demo.models.released import read_json
from lora_demo.models.tensor_files import NONFINITE_FIX, CheckpointError, TensorFile, open_tensors

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
OTHER_BASE = "so the adapter was trained on another model or with other settings; name the base that belongs to it"
FIRST_KEY = re.compile(r"\['([^']+)'")
MISFITS = (ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError, OSError, re.error)
"""What PEFT raises on settings that are of the wrong type, name what is not there, or belong to another model."""


def is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file()


def base_of_adapter(folder: Path) -> str | None:
    """The base model that the adapter's configuration names: a directory, or a name on a hub."""
    return read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path") if is_adapter(folder) else None


def apply_adapter(model: MGM, folder: Path, *, merge: bool, allow_nonfinite: bool = False) -> None:
    """Put the folder's adapter on the language model only; with `merge`, add its update to the weights.

    Loading goes through PEFT, which reads every adapter type it can write. Raises CheckpointError if a weight is
    missing, has no place in the model, or (unless allowed) holds NaN or infinity: the answers would not be the
    adapter's.
    """
    file = _weights(folder)
    if not allow_nonfinite:
        _require_finite(file)
    try:
        adapted = _wrapped(model, folder)
        unused = _unused(adapted, folder)
    except UserWarning as warning:
        key = FIRST_KEY.search(str(warning))
        raise CheckpointError(f"{file.path}: lacks {key[1] if key else warning}, {OTHER_BASE}") from warning
    except MISFITS as error:
        raise CheckpointError(f"{folder}: the adapter does not fit the language model: {error}") from error
    if unused:
        raise CheckpointError(f"{file.path}: the model has no place for {unused[0]}, {OTHER_BASE}")
    model.language_model = adapted.merge_and_unload() if merge else adapted


def _weights(folder: Path) -> TensorFile:
    found = [folder / name for name in ADAPTER_WEIGHTS if (folder / name).is_file()]
    if not found:
        raise CheckpointError(f"{folder}: has {ADAPTER_CONFIG} but neither of {', '.join(ADAPTER_WEIGHTS)}")
    return open_tensors(found[0])


def _require_finite(file: TensorFile) -> None:
    for key, entry in file.entries.items():
        if entry.dtype.is_floating_point and not all(piece.isfinite().all() for _, piece in file.pieces(key)):
            raise CheckpointError(f"{file.path}: {key} holds NaN or infinity; {NONFINITE_FIX}")


def _wrapped(model: MGM, folder: Path) -> PeftModel:
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 by a name that version has deprecated.
        warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated", category=FutureWarning)
        # With weights missing, PEFT only warns and leaves the layer as it is drawn, which mostly adds nothing.
        warnings.filterwarnings("error", message=".*missing adapter keys", category=UserWarning)
        return PeftModel.from_pretrained(model.language_model, str(folder), low_cpu_mem_usage=True)


def _unused(adapted: PeftModel, folder: Path) -> list[str]:
    """Keys of the file that the model has no place for."""
    if adapted.active_peft_config.is_prompt_learning:  # its one tensor was put into its place by name
        return []
    # PEFT keeps what loading found to itself; filling in the same values once more says it.
    return set_peft_model_state_dict(adapted, load_peft_weights(str(folder), device="cpu")).unexpected_keys
