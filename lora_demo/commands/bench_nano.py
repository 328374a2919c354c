"""`lora-demo bench nano`: what mgm-nano can do, before and after fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_demo.lab import nano_evidence
from lora_demo.results.paths import records_dir


def base(images: int) -> dict[str, Any]:
    """The shipped base's accuracies."""
    return nano_evidence.base_samples(images)


def record_base(run_folder: Path) -> Path:
    """Write the record of the shipped base; `run_folder`: where nano-pretrain was run."""
    return nano_evidence.base_record(run_folder).save(records_dir())


def record_fine_tuning(folder: Path) -> Path:
    """Run every nano fine-tuning recipe into `folder` and write their record."""
    return nano_evidence.fine_tuning_record(folder).save(records_dir())
