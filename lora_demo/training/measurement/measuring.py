"""A few real steps of a recipe, and what they took: peak memory, time, loss.

Random weights and random words by default: memory and speed depend on sizes, not on values.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from lora_demo.models.resident import PeakResident
from lora_demo.models.wide_products import wide_where_needed
from lora_demo.training.engine import metrics
from lora_demo.training.engine.accelerated import open_accelerator
from lora_demo.training.engine.stopped import OutOfMemory, out_of_memory_named
from lora_demo.training.loop import Loop
from lora_demo.training.preparation import preflight
from lora_demo.training.preparation.prepare import apply_method, model_of, sources_of
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe


@dataclass(frozen=True)
class Reading:
    """One step. Bytes at their peak within it: of PyTorch's allocator on a GPU (None on a CPU), and of the process.

    seconds            the making of its batch included
    tokens_per_second  real positions, image tokens included, by the time of the step alone
    """

    seconds: float
    loss: float
    tokens_per_second: float
    allocated: int | None
    reserved: int | None
    resident: int


@dataclass(frozen=True)
class Measured:
    """What came out. The first step also makes the optimizer's state, so speed is read from the later ones.

    weights  bytes of the model's parameters and buffers as loaded
    stopped  why there are fewer steps than asked for; None if all ran
    """

    trainable: int = 0
    total: int = 0
    weights: int = 0
    readings: list[Reading] = field(default_factory=list)
    stopped: str | None = None

    @property
    def tokens_per_second(self) -> float | None:
        later = self.readings[1:] or self.readings
        return statistics.median(one.tokens_per_second for one in later) if later else None

    @property
    def peak_allocated(self) -> int | None:
        return max((one.allocated for one in self.readings if one.allocated is not None), default=None)

    @property
    def peak_reserved(self) -> int | None:
        return max((one.reserved for one in self.readings if one.reserved is not None), default=None)

    @property
    def peak_resident(self) -> int | None:
        return max((one.resident for one in self.readings), default=None)


def as_measured(
    recipe: Recipe, *, steps: int, length: int, batch: int, supervised: int | None, as_written: bool
) -> Recipe:
    """The recipe as its steps are measured: `batch` rows in one forward, nothing saved, nothing judged.

    Unless `as_written`, weights are random and rows are random words around one picture, `length` positions each.
    Raises RecipeError where these sizes contradict the recipe.
    """
    changes: dict[str, Any] = {
        "steps": steps,
        "batch": batch,
        "micro_batch": None,
        "save": {},
        "evaluation": {},
        "workers": 0,
    }
    if not as_written:
        data = {"kind": "synthetic", "length": length, "supervised": supervised, "rows": 2 * batch}
        model = {**recipe.model.model_dump(), "weights": "random", "tokenizer": None}
        changes |= {"data": data, "model": model, "cache_features": False, "before": None}
    # Read anew, since a changed field may contradict another.
    return recipe_files.parse({**recipe.model_dump(), **changes}, recipe.name)


def measure(recipe: Recipe, accelerator: Accelerator | None = None) -> Measured:
    """Run the recipe's steps and read what each took; one that does not fit ends the run and is a result as well.

    Raises what `preflight.check` raises, before any weight is made.
    """
    accelerator = accelerator or open_accelerator()
    preflight.check(recipe, cuda=accelerator.device.type == "cuda")
    found = Measured()
    try:
        with tempfile.TemporaryDirectory(prefix="measured-") as folder:
            loop = _prepared(recipe, accelerator, Path(folder))
            found = Measured(*_counts(loop.bare))
            with wide_where_needed(accelerator.device, bfloat16=recipe.in_bfloat16):
                for reading in _readings(loop, accelerator.device):
                    found.readings.append(reading)
    except OutOfMemory as error:
        return replace(found, stopped=str(error))
    return found


def _prepared(recipe: Recipe, accelerator: Accelerator, folder: Path) -> Loop:
    with out_of_memory_named(lambda: "loading the model"):
        model = model_of(recipe.model, recipe.seed, accelerator.device)
    torch.manual_seed(recipe.seed)
    trained = apply_method(model, recipe)
    loop = Loop(recipe, trained, sources_of(recipe, model)[0], None, folder, accelerator)
    loop.model.train()
    return loop


def _readings(loop: Loop, device: torch.device) -> Iterator[Reading]:
    steps = loop.steps()
    while True:
        _reset(device)
        start = time.perf_counter()
        with PeakResident() as host:
            loss = next(steps, None)
        if loss is None:
            return
        speed = metrics.last(loop.folder, "tokens_per_second")
        yield Reading(time.perf_counter() - start, loss, speed, *_peaks(device), host.peak)


def _reset(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peaks(device: torch.device) -> tuple[int | None, int | None]:
    if device.type != "cuda":
        return None, None
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)


def _counts(model: nn.Module) -> tuple[int, int, int]:
    parameters = list(model.parameters())
    size = sum(tensor.nbytes for tensor in (*parameters, *model.buffers()))
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters), size
