"""`lora-demo train`: a recipe in, a trained model or adapter out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from lora_demo.commands.advice import advice
from lora_demo.commands.foretold import foretell
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.lab import nano_evidence
from lora_demo.memory.cards import card
from lora_demo.models.mgm import MGM
from lora_demo.training.engine import checkpoint, sharded
from lora_demo.training.engine.accelerated import leave
from lora_demo.training.engine.checkpoint import BrokenCheckpoint
from lora_demo.training.engine.display import Bar, Display, Lines, Quiet
from lora_demo.training.engine.stopped import OutOfMemory
from lora_demo.training.loop import TrainingStopped
from lora_demo.training.measurement.device_cap import cap_memory
from lora_demo.training.preparation.prepare import require_images
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import NanoData
from lora_demo.training.run import Finished, run


def start(
    name: str,
    settings: Sequence[str],
    *,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    as_gpu: str | None = None,
) -> int:
    """Train; prints a summary. Exit status 0 done, 1 stopped early with a reason, 2 bad input.

    as_gpu  name of a card (`memory.cards`) whose memory a larger GPU is cut down to
    """
    console = Console(stderr=True)
    try:
        recipe = recipe_files.load(name, settings)
        if as_gpu is not None:
            cap_memory(card(as_gpu).budget, as_gpu)
        require_images(recipe.model)
        foretell(recipe, console)
        with _advising(recipe, as_gpu):
            finished = _run(recipe, out or Path("runs") / recipe.name, console, resume, overwrite, as_json)
    except BAD_INPUT as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except TrainingStopped as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        left = checkpoint.left((out or Path("runs") / name) / checkpoint.FOLDER)
        console.print(f"interrupted. {left} Go on with --resume", style="red", highlight=False, soft_wrap=True)
        return 130
    finally:
        leave()
    if finished.first:
        test = tested(recipe, finished.model)
        summary = finished.summary() | ({"test": test} if test else {})
        print(json.dumps(summary, indent=1) if as_json else described(summary))
    return 0


def listing() -> str:
    """The shipped recipes, one per line."""
    names = recipe_files.shipped()
    width = max(map(len, names))
    return "\n".join(f"{name:{width}}  {recipe_files.load(name).about}" for name in names)


def tested(recipe: Recipe, model: MGM) -> dict[str, Any] | None:
    """On nano data, right answers to the fixed test questions: pictures that no recipe trains on or chooses by."""
    if not isinstance(recipe.data, NanoData) or sharded.asked_for():  # a sharded model runs on all processes or none
        return None
    return nano_evidence.accuracies(model, nano_evidence.held_out(recipe.data.family, model))


def described(summary: dict[str, Any]) -> str:
    """The summary in words."""
    loss = "not on record" if summary["loss"] is None else f"{summary['loss']:.4f}"
    lines = [
        f"trained {summary['trainable']:,} of {summary['total']:,} parameters for {summary['steps']} steps "
        f"in {summary['seconds']:.0f} s ({summary['cpu_seconds']:.0f} CPU seconds); last loss {loss}"
    ]
    for name in ("validation", "test"):
        if found := summary.get(name):
            groups = ", ".join(f"{group} {accuracy:.0%}" for group, accuracy in found["by_group"].items())
            lines.append(f"right answers, {name}: {found['accuracy']:.1%} of {found['rows']} ({groups})")
    return "\n".join([*lines, f"result: {summary['result']}"])


@contextmanager
def _advising(recipe: Recipe, as_gpu: str | None) -> Iterator[None]:
    """Training names what did not fit; what would fit is said here, so that training knows nothing of prediction."""
    try:
        yield
    except OutOfMemory as error:
        raise TrainingStopped(f"{error}\n{advice(recipe, as_gpu)}") from error


def _run(recipe: Recipe, folder: Path, console: Console, resume: bool, overwrite: bool, quiet: bool) -> Finished:
    shown: partial[Display] = partial(Bar if console.is_terminal else Lines, console)
    display = partial(Quiet) if quiet else shown
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BrokenCheckpoint)
        try:
            return run(recipe, folder, resume=resume, overwrite=overwrite, display=display)
        finally:
            for warning in caught:
                console.print(str(warning.message), style="yellow", markup=False, highlight=False, soft_wrap=True)
