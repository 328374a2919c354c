"""What a finished run leaves for others: a whole model, or an adapter in PEFT's format with what it was trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lora_demo.methods import own_format, peft_format, surgery
from lora_demo.models import fingerprint, projectors, weights
from lora_demo.models.mgm import MGM
from lora_demo.models.tensor_files import CheckpointError
from lora_demo.results.store import write_atomically
from lora_demo.training.engine import checkpoint, metrics
from lora_demo.training.preparation.prepare import mgm_of
from lora_demo.training.recipes.recipe import Recipe

RECIPE, MODEL, ADAPTER, PROJECTORS = "recipe.json", "model", "adapter", "projectors.safetensors"
SUMMARY = "summary.json"
WHOLE = ("full", "towers", "bitfit", "layernorm")
"""Methods that change the model's own weights: their result is saved as a model."""
PEFT_METHODS = ("lora", "dora", "pissa", "ia3", "prefix")


def remove_run(folder: Path) -> None:
    """Remove what a run writes into its folder, and nothing else that lies there."""
    for name in (checkpoint.FOLDER, MODEL, ADAPTER, metrics.EVENTS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (RECIPE, PROJECTORS, SUMMARY, metrics.FILE, fingerprint.FILE):
        (folder / name).unlink(missing_ok=True)


def save_recipe(recipe: Recipe, folder: Path) -> None:
    """The recipe with everything inherited filled in."""
    write_atomically(folder / RECIPE, recipe.model_dump_json(indent=1) + "\n")


def recipe_of(folder: Path) -> Recipe:
    """The recipe that a run's folder keeps. Raises CheckpointError if it cannot be read."""
    try:
        return Recipe.model_validate_json((folder / RECIPE).read_text(encoding="utf-8"))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = f"{place}: {problem['msg']}" if place else problem["msg"]
        raise CheckpointError(f"{folder / RECIPE}: cannot be read as the recipe of a run: {reason}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / RECIPE}: cannot be read: {error}") from error


def place(recipe: Recipe, folder: Path) -> Path:
    """Where a run's result lies in its folder."""
    return folder / (MODEL if recipe.method.name in WHOLE else ADAPTER)


def save(model: MGM, recipe: Recipe, folder: Path) -> Path:
    """Write the result into the run's folder; returns where it lies."""
    method = recipe.method
    if method.name in WHOLE:
        weights.save(model, folder / MODEL)
        return place(recipe, folder)
    if method.projectors:
        trained = {name: p.detach().contiguous() for name, p in _projectors(model).items()}
        save_file(trained, folder / PROJECTORS)
    if method.name in PEFT_METHODS:
        return peft_format.save(model.language_model, folder / ADAPTER)
    return own_format.save(model.language_model, folder / ADAPTER, method.name, method.settings)


def load(folder: Path) -> MGM:
    """The model that a run ended with, in eval mode; adapters are attached, not merged.

    Raises CheckpointError if the base is not the one that the run was trained on or a file is damaged, MethodError if
    the adapter does not fit the base.
    """
    recipe = recipe_of(folder)
    if recipe.method.name in WHOLE:
        return weights.load(folder / MODEL, dtype=getattr(torch, recipe.model.dtype))
    model = mgm_of(recipe.model, recipe.seed)
    fingerprint.require_same(model, folder)
    load_adapter = peft_format.load if recipe.method.name in PEFT_METHODS else own_format.load
    try:
        load_adapter(model.language_model, folder / ADAPTER)
    except (TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / ADAPTER}: holds settings that no method takes: {error}") from error
    if recipe.method.projectors:
        _load_projectors(model, folder / PROJECTORS)
    return model.eval()


def _load_projectors(model: MGM, path: Path) -> None:
    try:
        found = load_file(path)
        unknown = model.load_state_dict(found, strict=False).unexpected_keys
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged, or from another model: {error}") from error
    if unknown:
        raise CheckpointError(f"{path}: this model has no weight {unknown[0]}")
    wanted = [name for name, _ in model.named_parameters() if name.split(".")[0] in projectors.PROJECTORS]
    if missing := [name for name in wanted if name not in found]:
        raise CheckpointError(f"{path}: lacks {missing[0]}, which this run trained; take another copy of the run")
    for name, value in found.items():
        if not value.isfinite().all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinity; take an earlier state of the run")


def _projectors(model: MGM) -> dict[str, torch.nn.Parameter]:
    declared = surgery.adapter_parameters(model)
    return {name: p for name, p in declared.items() if not name.startswith("language_model.")}
