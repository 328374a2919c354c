"""Builds what is traced on the meta device: a preset or a folder's config.json, and an adapter on it.

Adapters come from PEFT (a folder with adapter_config.json, see `peft_adapter`) or from our own methods
("lora:r=16,targets=all", "full").
"""

from __future__ import annotations

import difflib
import inspect
from pathlib import Path
from typing import Any

import torch

from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.model_folder import from_folder
from lora_demo.memory.subjects.peft_adapter import with_peft
from lora_demo.memory.subjects.quantised_base import BaseName, quantise_base
from lora_demo.memory.subjects.subject import MOST_POSITIONS, PlannedSubject, Subject, TextSubject
from lora_demo.methods import registry, surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.full import apply_full
from lora_demo.models.config import MGMConfig
from lora_demo.models.llm import build_llm
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import PRESETS
from lora_demo.training.recipes import method_settings

TRAINED_PROJECTORS = ("mm_projector", "vlm_uni_query_projector", "vlm_uni_aux_projector", "vlm_uni_val_projector")


def build_subject(model: str, base: BaseName = "bf16", dtype: torch.dtype = torch.bfloat16) -> Subject:
    """The model on the meta device: a preset's name or a folder with config.json; `base` packs its linear layers.

    Raises BuildError.
    """
    with torch.device("meta"):
        subject = _subject(model, dtype)
        quantise_base(subject.language_model, base)
    return subject


def _subject(model: str, dtype: torch.dtype) -> Subject:
    if model in PRESETS:
        config = PRESETS[model]
        if isinstance(config, MGMConfig):
            return PlannedSubject(MGM(config).to(dtype))
        return TextSubject(_in_training(build_llm(config), dtype))
    return TextSubject(_in_training(_from_folder(model), dtype))


def adapt(
    subject: Subject,
    method: str,
    *,
    adapter_dtype: torch.dtype | None = torch.float32,
    base: BaseName = "bf16",
) -> None:
    """Put the adapter on the subject's language model; everything else is frozen. None keeps the base's dtype.

    Raises BuildError, and MethodError for one of our methods with settings that it cannot have.
    """
    if method == "full":
        if base != "bf16":
            raise BuildError(f"--base {base} is frozen: full fine-tuning needs a base in bf16; choose an adapter")
        _full(subject)
    elif _is_folder(method):
        subject.model.requires_grad_(False)
        subject.replace_language_model(with_peft(subject.language_model, Path(method), adapter_dtype, base))
    else:
        name, settings = registry.parse(method)
        _check_settings(name, settings)
        if name != "full" and name in registry.METHODS and "dtype" in _settings_of(name):
            settings.setdefault("dtype", adapter_dtype)
        with torch.device("meta"):
            registry.apply(subject.language_model, name, **settings)
        surgery.freeze(subject.model)


def _full(subject: Subject) -> None:
    apply_full(subject.language_model)
    for name in TRAINED_PROJECTORS:
        if hasattr(subject.model, name):
            apply_full(subject.model.get_submodule(name))
    surgery.freeze(subject.model)


def _check_settings(name: str, settings: dict[str, Any]) -> None:
    """Raises MethodError for a value of another type than the method takes. Unknown names are left to `apply`."""
    if "dtype" in settings:
        raise MethodError(
            f"{name}: dtype is no setting here; adapters are float32, or the base's with --no-autocast-adapter"
        )
    for setting, value in settings.items() if name in registry.METHODS else ():
        if wrong := method_settings.problem(name, setting, value):
            raise MethodError(f"{name}: {wrong}")
        # Products of larger ones are more than PyTorch can count, even without memory.
        if setting in ("count", "hidden") and value > MOST_POSITIONS:
            raise MethodError(f"{name}: {setting}={value}: must be at most {MOST_POSITIONS}")


def _settings_of(name: str) -> set[str]:
    return set(inspect.signature(registry.METHODS[name].apply).parameters)


def _from_folder(model: str) -> Any:
    folder = Path(model)
    if not (model and _is_folder(model) and (folder / "config.json").exists()):
        near = difflib.get_close_matches(model, PRESETS, n=3, cutoff=0.4) or list(PRESETS)
        raise BuildError(f"model {model!r}: neither a preset ({', '.join(near)}) nor a folder with config.json")
    return from_folder(folder)


def _is_folder(name: str) -> bool:
    try:
        return bool(name) and Path(name).is_dir()
    except OSError:
        # Too long for a file's name, as the text form of a method may be.
        return False


def _in_training(model: Any, dtype: torch.dtype) -> Any:
    return model.to(dtype).train()
