"""Which learning rate each method gets: the best on validation questions, found by walking a fixed series.

The rates are 1 and 3 times the powers of ten. Every method starts at the same one and goes on to the better neighbour
until both are worse, so the result lies inside what was tried. The questions that judge the methods elsewhere are not
looked at here; pictures of the validation split are in neither the training nor the test split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lora_demo.lab import nano_methods
from lora_demo.lab.workshop import Workshop
from lora_demo.training.engine.stopped import TrainingStopped

FIRST = -5
"""Place of the rate that every walk starts at, 3e-3; place 0 is 1, every second one a power of ten."""
SHAPES = {
    "nano-lora-b-long": (("batch=2", "steps=1800"), ("batch=4", "steps=1200")),
    "nano-full-b-long": (("batch=2", "steps=1800"), ("batch=4", "steps=1200")),
}
"""Batch and steps that are tried too, where there is time for more than 300 steps."""
RECIPES = (*nano_methods.RECIPES, *SHAPES)
ROWS = "evaluation.rows=1000"


def measure(lab: Workshop) -> dict[str, Any]:
    """recipe -> its batches and steps, each with the validation accuracy by rate that was tried, and the best."""
    return {name: [_walked(lab, name, shape) for shape in SHAPES.get(name, ((),))] for name in RECIPES}


def best(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The batch, steps and rate of a recipe that did best on the validation questions."""
    return max(found, key=lambda one: one["accuracy"][f"{one['lr']:g}"])


def walk(judge: Callable[[float], float]) -> tuple[float, dict[float, float]]:
    """(best rate, accuracy by rate) of a walk uphill from FIRST; it stays where no neighbour is better."""
    seen: dict[int, float] = {}

    def look(place: int) -> float:
        if place not in seen:
            seen[place] = judge(rate(place))
        return seen[place]

    here = FIRST
    while (there := max((here, here - 1, here + 1), key=look)) != here:
        here = there
    return rate(here), {rate(place): seen[place] for place in sorted(seen)}


def rate(place: int) -> float:
    """... 1e-3, 3e-3, 1e-2 ... for ... -6, -5, -4 ..."""
    power, odd = divmod(place, 2)
    return float(f"{3 if odd else 1}e{power}")


def _walked(lab: Workshop, name: str, shape: tuple[str, ...]) -> dict[str, Any]:
    def judge(lr: float) -> float:
        try:
            done = lab.trained(name, *shape, ROWS, f"optimizer.lr={lr:g}")
        except TrainingStopped:  # it diverged
            return 0.0
        assert done.outcome.evaluation is not None
        return done.outcome.evaluation.accuracy

    lr, accuracy = walk(judge)
    recipe = lab.recipe(name, *shape)
    return {
        "batch": recipe.batch,
        "steps": recipe.steps,
        "lr": lr,
        "accuracy": {f"{each:g}": value for each, value in accuracy.items()},
    }
