"""Puts a PEFT adapter on a model without data, from its adapter_config.json alone.

The set-up runs on the meta device under `NeutralValues`; a method that mixes its own host tensors with the base's is
set up on the host instead and moved over. What a method derives from the base's values is replaced by tensors of the
same shape (`peft_stand_ins`).
"""

from __future__ import annotations

import copy
import difflib
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.neutral import NeutralValues
from lora_demo.memory.subjects.peft_stand_ins import prepare_config, setting_up
from lora_demo.memory.subjects.quantised_base import BaseName, refuse_unsupported
from lora_demo.results.json_file import NoObject, read_object

REFUSED = {
    "XLORA": "it mixes LoRA adapters that are trained already and reads them from the folders named under `adapters`; "
    "predict one of those LoRA adapters instead and add its classifier's and the other adapters' bytes",
}


def with_peft(base: Any, folder: Path, adapter_dtype: torch.dtype | None, quantised: BaseName = "bf16") -> nn.Module:
    """`base` with the folder's adapter on it, in training mode on the meta device.

    adapter_dtype  float32: PEFT's autocast_adapter_dtype; None: adapters in the base's dtype
    Raises BuildError for a configuration that is no PEFT configuration, is not one of a causal language model, or
    does not go with this model.
    """
    config = read_config(folder)
    kind = config.peft_type.value
    if kind in REFUSED:
        raise BuildError(f"{folder}: {kind} is not predicted: {REFUSED[kind]}")
    refuse_unsupported(kind, config.is_prompt_learning, quantised)
    try:
        return _wrapped(copy.deepcopy(base), copy.deepcopy(config), torch.device("meta"), adapter_dtype)
    except Exception:
        # Set-ups of dozens of methods raise whatever they like. The second attempt either works or says why.
        pass
    try:
        return _wrapped(base, copy.deepcopy(config), torch.device("cpu"), adapter_dtype)
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise BuildError(f"{folder}: {kind} does not go on {type(base).__name__}: {words}") from error


def read_config(folder: Path) -> Any:
    """The folder's configuration, made ready for training a causal language model."""
    import peft

    file = folder / "adapter_config.json"
    if not file.exists():
        raise BuildError(f"{folder}: no adapter_config.json in it")
    try:
        entries = read_object(file)
    except NoObject as error:
        raise BuildError(str(error)) from error
    _check(entries, file)
    entries["task_type"] = "CAUSAL_LM"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config: Any = peft.PeftConfig.from_peft_type(**entries)
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise BuildError(f"{file}: not an adapter configuration of PEFT {peft.__version__}: {words}") from error
    config.inference_mode = False
    return config


def _check(entries: dict[str, Any], file: Path) -> None:
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    known = [str(getattr(kind, "value", kind)) for kind in PEFT_TYPE_TO_CONFIG_MAPPING]
    _known_kind(str(entries.get("peft_type")), known, file)
    task = entries.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise BuildError(f"{file}: task_type {task} is not predicted; only causal language models (CAUSAL_LM) are")


def _known_kind(kind: str, known: Collection[str], file: Path) -> None:
    if kind not in known:
        near = difflib.get_close_matches(kind.upper(), known, n=3) or sorted(known)
        raise BuildError(f"{file}: peft_type {kind!r} is unknown; near names: {', '.join(near)}")


def _wrapped(base: Any, config: Any, device: torch.device, adapter_dtype: torch.dtype | None) -> nn.Module:
    import peft

    prepare_config(config)
    with NeutralValues(), device, setting_up(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = peft.get_peft_model(base, config, autocast_adapter_dtype=adapter_dtype == torch.float32)
    return adapted.to("meta").train()
