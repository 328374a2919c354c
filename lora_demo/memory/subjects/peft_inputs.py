"""Inputs that some PEFT methods need beside the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def task_inputs(language_model: Any, batch: int) -> dict[str, Tensor]:
    """`task_ids` (batch,) for the methods that mix tasks, nothing for all others.

    POLY compares the ids with its number of tasks on the host, so there they hold values; multitask prompt tuning
    looks its prompts up by them on the device.
    """
    kind = _kind(language_model)
    if kind == "POLY":
        return {"task_ids": torch.zeros(batch, dtype=torch.long)}
    if kind == "MULTITASK_PROMPT_TUNING":
        return {"task_ids": torch.zeros(batch, dtype=torch.long, device="meta")}
    return {}


def acts_on_the_prompt(language_model: Any) -> str:
    """Name of a PEFT method that changes the inputs of the model instead of its modules, else ''."""
    config = getattr(language_model, "active_peft_config", None)
    return _kind(language_model) if config is not None and config.is_prompt_learning else ""


def _kind(language_model: Any) -> str:
    config = getattr(language_model, "active_peft_config", None)
    return "" if config is None else str(config.peft_type.value)
