"""The published PEFT runs whose memory is known, and how far the prediction is from each.

63 runs of huggingface/peft's method comparison (Llama-3.2-3B on one L40S) are public; the memory of 26 of them is
kept in `qa/records/published-peft-runs.json` with their adapter configurations.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.tracing.published_lengths import BATCH, LONGEST
from lora_demo.results.record import Record

RECORD = "published-peft-runs"


@dataclass(frozen=True)
class PublishedRun:
    """One run: the reserved peak of its whole process in bytes, and its adapter (None: full fine-tuning)."""

    name: str
    reserved: int
    trainable: int
    adapter_config: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """`seconds` of processor time, which other work on the machine changes least."""

    run: PublishedRun
    predicted: int
    trainable: int
    seconds: float

    @property
    def error(self) -> float:
        """Relative: positive where the prediction is above the measurement."""
        return self.predicted / self.run.reserved - 1


def published_runs(records: Path) -> list[PublishedRun]:
    """All open runs, in the record's order."""
    samples = Record.load(records / f"{RECORD}.json").samples
    return [
        PublishedRun(name, run["reserved_max"], run["trainable"], run["adapter_config"])
        for name, run in samples.items()
    ]


def compare(run: PublishedRun) -> Comparison:
    """Predict the run's loop with the one inferred set of lengths."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        method = "full" if run.adapter_config is None else folder
        if run.adapter_config is not None:
            (Path(folder) / "adapter_config.json").write_text(json.dumps(run.adapter_config), encoding="utf-8")
        result = predict(Setting("llama-3.2-3b", method, BATCH, LONGEST, loop="published", gpu="l40s"))
    return Comparison(run, result.peak_reserved, result.trainable, time.process_time() - start)
