"""Everything about a run that can be refused before a weight is read: a wrong recipe costs seconds, not an hour.

The method is put on a model without memory, so whatever it refuses (BitFit where nothing has a bias, a target that
hits nothing, a rank too high) it refuses here, with its own message.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch

from lora_demo.data.items import DataError
from lora_demo.data.json_index import BrokenFile
from lora_demo.data.tokenizer import TokenizerError
from lora_demo.models.build import build_model
from lora_demo.models.config import MGMConfig, TextConfig
from lora_demo.models.presets import model_preset
from lora_demo.models.spliced import SplicedModel
from lora_demo.models.tensor_files import CheckpointError
from lora_demo.training.engine.optimizers import EIGHT_BIT, require
from lora_demo.training.preparation.folder_data import check_folder
from lora_demo.training.preparation.prepare import apply_method, as_asked, config_of
from lora_demo.training.preparation.synthetic import sizes
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import FolderData, SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError

Say = Callable[[str], object]
"""Where remarks go: what is worth knowing and no reason to refuse."""


def check(
    recipe: Recipe,
    *,
    cuda: bool,
    rank: int = 0,
    processes: int = 1,
    sharded: bool = False,
    say: Say = lambda line: None,
) -> SplicedModel:
    """The model as it will be trained, on the meta device. Raises what is wrong with recipe, weights, data or machine.

    RecipeError, CheckpointError, ConfigError, TokenizerError, DataError, MethodError, OptimizerUnavailable: all before
    loading. rank: this process's number among the run's processes; sharded: whether they share parameters out.
    """
    if sharded:
        _require_shardable(recipe)
    if recipe.batch < processes:
        words = f"batch {recipe.batch} leaves some of {processes} processes without a row"
        raise RecipeError(f"recipe {recipe.name}: {words}; raise batch, or launch fewer")
    if recipe.tensorboard and importlib.util.find_spec("tensorboard") is None:
        words = "tensorboard is not installed: pip install tensorboard, or set tensorboard to false"
        raise RecipeError(f"recipe {recipe.name}: {words}")
    require(recipe.optimizer.implementation, cuda=cuda)
    if recipe.model.nf4 == "bitsandbytes" and not cuda:
        words = "model.nf4=bitsandbytes computes on a GPU, and there is none here; set model.nf4=own"
        raise RecipeError(f"recipe {recipe.name}: {words}")
    try:
        config = config_of(recipe.model)
        _check_data(recipe, config, rank, processes, say)
    except (CheckpointError, TokenizerError, DataError, BrokenFile):
        # What the method refuses it refuses with any weights and rows: nobody ought to fetch them to learn it.
        _on_paper(recipe, model_preset(recipe.model.preset))
        raise
    return _on_paper(recipe, config)


def _on_paper(recipe: Recipe, config: MGMConfig | TextConfig) -> SplicedModel:
    """The model with its method, without memory. bitsandbytes packs on a device only; our packing has its shape."""
    part = recipe.model.model_copy(update={"nf4": "own"}) if recipe.model.nf4 else recipe.model
    with torch.device("meta"):
        model = as_asked(build_model(config).to(getattr(torch, recipe.model.dtype)), part)
        apply_method(model, recipe)
    return model


def _require_shardable(recipe: Recipe) -> None:
    """What works on whole parameters cannot work on slices of them."""
    optimizer = recipe.optimizer.implementation
    wholes = {
        "adaptive_rank weighs singular values by their neighbours": recipe.adaptive_rank is not None,
        f"{optimizer} scales blocks of whole tensors": optimizer in EIGHT_BIT,
        "nf4 bitsandbytes packs whole layers": recipe.model.nf4 == "bitsandbytes",
        "method towers trains what sharding leaves whole": recipe.method.name == "towers",
    }
    for reason in (reason for reason, holds in wholes.items() if holds):
        words = f"{reason}, so this run cannot be sharded; launch replicas: accelerate launch --multi_gpu"
        raise RecipeError(f"recipe {recipe.name}: {words}")


def _check_data(recipe: Recipe, config: MGMConfig | TextConfig, rank: int, processes: int, say: Say) -> None:
    if isinstance(recipe.data, FolderData) and isinstance(config, MGMConfig):
        check_folder(recipe, recipe.data, config, rank=rank, processes=processes, say=say)
    if isinstance(recipe.data, SyntheticData):
        sizes(recipe.data, config)
