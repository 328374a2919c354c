"""From a recipe to what the loop needs: a model with its method, and the data. Nothing is trained here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from lora_demo.data import nano_grid, tokenizer
from lora_demo.data.dataset import ConversationData
from lora_demo.data.nano_digits import Split
from lora_demo.data.nano_set import NanoSet
from lora_demo.data.views import ViewMaker
from lora_demo.methods import registry, surgery
from lora_demo.methods.full import apply_full
from lora_demo.models import shipped, weights
from lora_demo.models.build import build_model
from lora_demo.models.config import MGMConfig, TextConfig
from lora_demo.models.materialise import materialise, randomise
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import PRESETS, mgm_preset, model_preset
from lora_demo.models.projectors import PROJECTORS
from lora_demo.models.spliced import SplicedModel
from lora_demo.models.tensor_files import CheckpointError
from lora_demo.training.preparation.cell_lesson import CellLesson
from lora_demo.training.preparation.feature_files import CachedSource, FeatureFiles
from lora_demo.training.preparation.folder_data import tokenizer_of
from lora_demo.training.preparation.fresh_weights import fresh_model
from lora_demo.training.preparation.packed_base import attention_biases, pack
from lora_demo.training.preparation.savers import recompute_layers, tile_feedforward
from lora_demo.training.preparation.sources import CellSource, FolderSource, NanoSource, SharedPictures, Source, seen
from lora_demo.training.preparation.synthetic import SyntheticSource
from lora_demo.training.recipes.recipe import ModelPart, Recipe
from lora_demo.training.recipes.recipe_data import CellData, DataPart, FolderData, NanoData, SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError

VALIDATION_IMAGES = 250
VALIDATION_QUESTIONS = 4
VALIDATION_SEED = 0
FEWEST_IN_LESSON = 7


def model_of(part: ModelPart, seed: int, device: torch.device | str = "cpu") -> SplicedModel:
    """The recipe's model, as it is before any method; random weights of a large model are made on `device`."""
    return as_asked(_weighted(part, seed, device), part)


def require_images(part: ModelPart) -> None:
    """Raise RecipeError for a language model alone, which is measured and not trained."""
    if not isinstance(PRESETS[part.preset], MGMConfig):
        raise RecipeError(f"{part.preset} is a language model alone, for `lora-demo measure`; train mgm-2b or mgm-nano")


def mgm_of(part: ModelPart, seed: int, device: torch.device | str = "cpu") -> MGM:
    """`model_of` for what needs images. Raises RecipeError, before any weight, for a language model alone."""
    require_images(part)
    model = model_of(part, seed, device)
    assert isinstance(model, MGM)
    return model


def config_of(part: ModelPart) -> MGMConfig | TextConfig:
    """The configuration of the recipe's model; of a folder only headers are read. Raises CheckpointError."""
    if part.weights in ("random", "shipped"):
        return model_preset(part.preset)
    try:
        return weights.inspect(part.weights)
    except CheckpointError as error:
        raise CheckpointError(f"{error}\nmodel.weights names the checkpoint folder; `random` needs none") from error


def as_asked(model: SplicedModel, part: ModelPart) -> SplicedModel:
    """The model with what the recipe adds to a checkpoint's layers: biases, packing."""
    if part.attention_bias:
        attention_biases(model.language_model)
        model.config = replace(model.config, llm=replace(model.config.llm, attention_bias=True))
    if part.nf4 is not None:
        pack(model.language_model, part.nf4)
    return model


def _weighted(part: ModelPart, seed: int, device: torch.device | str) -> SplicedModel:
    dtype = getattr(torch, part.dtype)
    if part.weights == "shipped":
        return shipped.load_nano(dtype)
    if part.weights != "random":
        return weights.load(Path(part.weights), dtype=dtype)
    if part.preset == "mgm-nano":
        torch.manual_seed(seed)
        model = MGM(mgm_preset(part.preset))
        fresh_model(model)
        return model.to(dtype).eval()
    with torch.device("meta"):
        model = build_model(model_preset(part.preset))
    materialise(model, dtype=dtype, device=device)
    randomise(model, seed=seed)
    return model.eval()


def apply_method(model: SplicedModel, recipe: Recipe) -> nn.Module:
    """Put the method on the language model and freeze the rest; the module that is trained."""
    method = recipe.method
    if method.name == "towers":
        assert isinstance(model, MGM)
        model.requires_grad_(False)
        return CellLesson(model)
    takes_dtype = "dtype" in inspect.signature(registry.METHODS[method.name].apply).parameters
    dtype = {"dtype": getattr(torch, method.dtype)} if takes_dtype else {}
    registry.apply(model.language_model, method.name, **method.settings, **dtype)
    if isinstance(model, MGM) and (method.projectors or method.name == "full"):
        for name in PROJECTORS:
            apply_full(model.get_submodule(name))
    surgery.freeze(model)
    save_memory(model, recipe)
    return model


def save_memory(model: SplicedModel, recipe: Recipe) -> None:
    """Turn on the recipe's memory savers that live in the model; the others are arguments of its call."""
    if isinstance(model, MGM):
        model.mining = recipe.mining
    if recipe.checkpointing:
        recompute_layers(model.language_model)
    if recipe.feedforward_tile is not None:
        tile_feedforward(model.language_model, recipe.feedforward_tile)


def sources_of(recipe: Recipe, model: SplicedModel) -> tuple[Source, Source | None]:
    """(training rows, validation rows) of the recipe."""
    return _BUILDERS[type(recipe.data)](recipe.data, recipe, model)


def nano_set(
    split: Split,
    family: nano_grid.Family,
    *,
    images: int,
    questions: int,
    rounds: int | None = None,
    told: bool = False,
    seed: int = 0,
) -> NanoSet:
    """A nano data set in mgm-nano's sizes, with its tokenizer."""
    views = ViewMaker.for_model(mgm_preset("mgm-nano"))
    return NanoSet(
        split,
        family,
        images=images,
        questions=questions,
        tokenizer=tokenizer.nano(),
        views=views,
        rounds=rounds,
        told=told,
        seed=seed,
    )


def _nano(data: NanoData, recipe: Recipe, model: MGM) -> tuple[Source, Source]:
    train = nano_set("train", data.family, **data.model_dump(exclude={"kind", "family"}))
    validation = nano_set(
        "validation",
        data.family,
        images=VALIDATION_IMAGES,
        questions=VALIDATION_QUESTIONS,
        rounds=1,
        seed=VALIDATION_SEED,
    )
    if recipe.cache_features:
        return SharedPictures(seen(train, model)), seen(validation, model)
    return NanoSource(train), NanoSource(validation)


def _cells(data: CellData, recipe: Recipe, model: MGM) -> tuple[Source, Source]:
    train = cell_source("train", data.images, data.plain, data.seed)
    return train, cell_source("validation", VALIDATION_IMAGES, data.plain, VALIDATION_SEED)


def cell_source(split: Split, images: int, plain: float, seed: int) -> CellSource:
    """Nearly full pictures for the towers: a share `plain` in family A's look, the rest turned, inverted or noisy."""
    plan = nano_grid.draw(images, split, "b", seed, fewest=FEWEST_IN_LESSON)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(images, generator=generator) < plain
    plan = nano_grid.with_treatment(plan, torch.where(chosen, 0, plan.treatment))
    return CellSource(plan, ViewMaker.for_model(mgm_preset("mgm-nano")))


def _folder(data: FolderData, recipe: Recipe, model: MGM) -> tuple[Source, Source | None]:
    text, views = tokenizer_of(recipe.model), ViewMaker.for_model(model.config)

    def source(file: str) -> Source:
        rows = ConversationData(Path(file), Path(data.images), text, views, model.config.splice.max_length)
        if recipe.cache_features and data.features is not None:
            return CachedSource(rows, FeatureFiles(Path(data.features), model))
        return FolderSource(rows)

    return source(data.file), source(data.evaluation_file) if data.evaluation_file else None


def _synthetic(data: SyntheticData, recipe: Recipe, model: SplicedModel) -> tuple[Source, None]:
    return SyntheticSource(data, model.config), None


_BUILDERS: dict[type[DataPart], Callable] = {
    NanoData: _nano,
    CellData: _cells,
    FolderData: _folder,
    SyntheticData: _synthetic,
}
