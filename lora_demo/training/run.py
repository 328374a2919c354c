"""A whole run from a recipe: prepare, train, save the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn

from lora_demo.models import fingerprint, weights
from lora_demo.models.mgm import MGM
from lora_demo.results.store import write_atomically
from lora_demo.training import results
from lora_demo.training.engine import checkpoint, sharded
from lora_demo.training.engine.accelerated import open_accelerator, require_known_launcher
from lora_demo.training.engine.display import Display, Quiet
from lora_demo.training.engine.stopped import TrainingStopped, out_of_memory_named
from lora_demo.training.loop import Loop, Outcome
from lora_demo.training.preparation import preflight
from lora_demo.training.preparation.cell_lesson import CellLesson
from lora_demo.training.preparation.prepare import apply_method, mgm_of, sources_of
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_files import RecipeError


@dataclass(frozen=True)
class Finished:
    """A finished run: the trained model (its best state, if it was evaluated), where the result lies, what happened."""

    model: MGM
    result: Path
    outcome: Outcome
    trainable: int
    total: int
    first: bool = True
    """Whether this is the first of the run's processes, the one that reports."""

    def summary(self) -> dict[str, Any]:
        """The run in numbers."""
        found = self.outcome.best or self.outcome.evaluation
        return {
            "result": str(self.result),
            "steps": self.outcome.steps,
            "loss": self.outcome.loss,
            "validation": found and found.to_json(),
            "best_step": self.outcome.best_step,
            "trainable": self.trainable,
            "total": self.total,
            "seconds": round(self.outcome.seconds, 2),
            "cpu_seconds": round(self.outcome.cpu_seconds, 2),
        }


def run(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    display: Callable[[], Display] = Quiet,
    accelerator: Accelerator | None = None,
) -> Finished:
    """Train by the recipe; everything goes into `folder`.

    overwrite  remove what an earlier run left there, and nothing else, once this one is ready to begin
    Raises TrainingStopped if the folder holds another run, cannot be written, or the run has to end early; what
    `preflight.check` raises before any weight is read. Under `accelerate launch` every process calls it.
    """
    if resume and overwrite:
        raise RecipeError("--resume goes on with the run that --overwrite would remove; give one of them")
    accelerator = accelerator or open_accelerator()
    require_known_launcher(accelerator)
    shown = display() if accelerator.is_main_process else Quiet()
    preflight.check(
        recipe,
        cuda=accelerator.device.type == "cuda",
        rank=accelerator.process_index,
        processes=accelerator.num_processes,
        sharded=sharded.active(accelerator),
        say=shown.say,
    )
    _first_does(accelerator, folder, lambda: _claim(folder, resume=resume, overwrite=overwrite))
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    model = _starting_model(recipe, folder, resume, display, accelerator)
    known_base = resume and fingerprint.require_same(model, folder)
    base = fingerprint.of(model)
    torch.manual_seed(recipe.seed)
    trained = apply_method(model, recipe)
    with out_of_memory_named(lambda: "preparing the data (with cache_features every picture is seen once)"):
        train, validation = sources_of(recipe, model)
    _require_rows(recipe, len(train), accelerator.num_processes)
    loop = Loop(recipe, trained, train, validation, folder, accelerator, shown)
    if resume:
        loop.resume()
    # Only now: resuming refuses another recipe's folder, and a refusal must leave the folder as it was.
    _first_does(accelerator, folder, lambda: _begin(recipe, folder, anew=overwrite))
    if not known_base:
        _first_does(accelerator, folder, lambda: fingerprint.save(base, folder))
    outcome = loop.run()
    counts = _count(trained)
    if outcome.best_step is not None:
        if best := checkpoint.best(loop.checkpoints):
            checkpoint.load_trained(best, trained)
        else:
            outcome = replace(outcome, best=None, best_step=None)
    sharded.gather(trained, keep=accelerator.is_main_process)
    plain = trained.finish() if isinstance(trained, CellLesson) else model
    finished = Finished(plain, results.place(recipe, folder), outcome, *counts, accelerator.is_main_process)
    _first_does(accelerator, folder, lambda: _save(finished, recipe, folder))
    return finished


def _save(finished: Finished, recipe: Recipe, folder: Path) -> None:
    results.save(finished.model, recipe, folder)
    write_atomically(folder / results.SUMMARY, json.dumps(finished.summary(), indent=1) + "\n")


def _first_does(accelerator: Accelerator, folder: Path, action: Callable[[], object]) -> None:
    """The first process acts while the others wait; what stops it stops all of them."""
    told: list[str] = [""]
    if accelerator.is_main_process:
        try:
            action()
        except TrainingStopped as error:
            told = [str(error)]
        except (OSError, SafetensorError) as error:
            told = [f"{folder} cannot be written: {error}. {checkpoint.left(folder / checkpoint.FOLDER)}"]
    if accelerator.num_processes > 1:
        from accelerate.utils import broadcast_object_list

        broadcast_object_list(told)
    if told[0]:
        raise TrainingStopped(told[0])


def _starting_model(
    recipe: Recipe, folder: Path, resume: bool, display: Callable[[], Display], accelerator: Accelerator
) -> MGM:
    if recipe.before is None:
        # What will be sharded is made on the host: a device then never holds all of it.
        device = "cpu" if sharded.active(accelerator) else accelerator.device
        with out_of_memory_named(lambda: "loading the model"):
            return mgm_of(recipe.model, recipe.seed, device)
    inner = folder / Path(recipe.before).stem
    saved = inner / results.MODEL
    if not (resume and (saved / weights.WEIGHTS).is_file()):
        before = recipe_files.load(recipe.before)
        finished = run(before, inner, resume=resume, overwrite=not resume, display=display, accelerator=accelerator)
        # Otherwise Accelerate would go on saving that run's optimizer, under the name that this run's ought to have.
        accelerator.free_memory()
        # After a sharded run only the first process has the whole model.
        if not sharded.active(accelerator):
            return finished.model
    return weights.load(saved)


def _require_rows(recipe: Recipe, rows: int, processes: int) -> None:
    if rows < processes:
        raise RecipeError(
            f"recipe {recipe.name}: {rows} training rows for {processes} processes: one would have nothing to do and "
            "the others would wait for it; give more data, or launch fewer processes"
        )


def _begin(recipe: Recipe, folder: Path, *, anew: bool) -> None:
    if anew:
        results.remove_run(folder)
    results.save_recipe(recipe, folder)


def _claim(folder: Path, *, resume: bool, overwrite: bool) -> None:
    occupied = (folder / checkpoint.FOLDER).exists()
    if occupied and overwrite and not (folder / results.RECIPE).is_file():
        raise TrainingStopped(
            f"{folder} holds `checkpoints` but no {results.RECIPE}, so no run of ours wrote it; name another folder"
        )
    if occupied and not overwrite and not resume:
        raise TrainingStopped(f"{folder} holds a run already: go on with --resume, or start anew with --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingStopped(f"{folder} cannot be written, so no checkpoint could be kept: {error}") from error


def _count(model: nn.Module) -> tuple[int, int]:
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)
