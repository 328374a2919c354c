"""Before a full-size run on a CPU: how long a step will take, how much memory, and whether the host has it."""

from __future__ import annotations

import torch
from rich.console import Console

from lora_demo.models.presets import PRESETS
from lora_demo.results.units import GIB
from lora_demo.training.engine.stopped import TrainingStopped
from lora_demo.training.measurement.forecast import FULL_SIZE, Forecast, forecast
from lora_demo.training.measurement.machine import host_memory
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes.recipe import UNPACKED_ONLY, Recipe

LARGE = tuple(name for name in PRESETS if name != "mgm-nano")


def foretell(recipe: Recipe, console: Console) -> None:
    """Print the forecast of a large model on a CPU; says nothing otherwise.

    Raises what `preflight.check` raises, and TrainingStopped where weights and optimizer alone are more than there is.
    """
    if torch.cuda.is_available() or recipe.model.preset not in LARGE:
        return
    model = preflight.check(recipe, cuda=False)
    if sum(p.numel() for p in model.parameters()) < FULL_SIZE:
        return
    found, free = forecast(model, recipe), host_memory()
    console.print(told(found, free, recipe.steps), style=None if found.peak <= free else "yellow", highlight=False)
    if found.least > free:
        raise TrainingStopped(
            f"not started: weights and optimizer alone take {found.least / GIB:.1f} GiB, {free / GIB:.1f} GiB are "
            f"free on this host; {remedies(recipe)}"
        )


def remedies(recipe: Recipe) -> str:
    """What this recipe can still do; `full` and its like have no packed base."""
    savers = ["close other programs"]
    savers += ["take model.dtype=bfloat16"] if recipe.model.dtype == "float32" else []
    savers += ["take model.nf4=own"] if recipe.model.nf4 is None and recipe.method.name not in UNPACKED_ONLY else []
    return f"{', '.join(savers)}, or choose a method that trains less"


def told(found: Forecast, free: int, steps: int) -> str:
    """The forecast in two sentences."""
    fits = "fits" if found.peak <= free else "may not fit: the system may end the process"
    return (
        f"on this CPU about {_duration(found.seconds)} per step, {_duration(found.seconds * steps)} for all {steps}; "
        f"about {found.peak / GIB:.1f} GiB of host memory, {free / GIB:.1f} GiB are free: {fits}"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
