"""From a recipe to what the loop needs: a model with its method, and the data. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from lora_demo.data import nano_grid, tokenizer
from lora_demo.data.check import require_clean
from lora_demo.data.dataset import ConversationData
from lora_demo.data.nano_digits import Split
from lora_demo.data.nano_set import NanoSet
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.methods import registry, surgery
from lora_demo.methods.full import apply_full
from lora_demo.models import shipped, weights
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import mgm_preset
from lora_demo.models.projectors import PROJECTORS
from lora_demo.training.cell_lesson import CellLesson, fresh_model
from lora_demo.training.recipe import CellData, DataPart, FolderData, ModelPart, NanoData, Recipe
from lora_demo.training.sources import CellSource, FolderSource, NanoSource, SharedPictures, Source, seen

VALIDATION_IMAGES = 250
VALIDATION_QUESTIONS = 4
VALIDATION_SEED = 0
FEWEST_IN_LESSON = 7


def model_of(part: ModelPart, seed: int) -> MGM:
    """The recipe's model; random weights come from the seed."""
    dtype = getattr(torch, part.dtype)
    if part.weights == "shipped":
        return shipped.load_nano(dtype)
    if part.weights != "random":
        return weights.load(Path(part.weights), dtype=dtype)
    torch.manual_seed(seed)
    model = MGM(mgm_preset(part.preset))
    if part.preset == "mgm-nano":
        fresh_model(model)
    return model.to(dtype).eval()


def tokenizer_of(part: ModelPart) -> TextTokenizer:
    """The recipe's tokenizer: its own folder, the weights' folder, or nano's."""
    if part.tokenizer is not None:
        return tokenizer.load(part.tokenizer)
    return tokenizer.nano() if part.preset == "mgm-nano" else tokenizer.load(part.weights)


def apply_method(model: MGM, recipe: Recipe) -> nn.Module:
    """Put the method on the language model and freeze the rest; the module that is trained."""
    method = recipe.method
    if method.name == "towers":
        model.requires_grad_(False)
        return CellLesson(model)
    registry.apply(model.language_model, method.name, **method.settings)
    if method.projectors or method.name == "full":
        for name in PROJECTORS:
            apply_full(model.get_submodule(name))
    surgery.freeze(model)
    return model


def sources_of(recipe: Recipe, model: MGM) -> tuple[Source, Source | None]:
    """(training rows, validation rows) of the recipe."""
    return _BUILDERS[type(recipe.data)](recipe.data, recipe, model)


def nano_set(
    split: Split,
    family: nano_grid.Family,
    *,
    images: int,
    questions: int,
    rounds: int | None = None,
    captions: bool = False,
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
        captions=captions,
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
    text.require_fits(model.config.llm.vocab_size)

    def source(file: str) -> FolderSource:
        require_clean(Path(file), Path(data.images), decode=False)
        return FolderSource(
            ConversationData(Path(file), Path(data.images), text, views, model.config.splice.max_length)
        )

    return source(data.file), source(data.evaluation_file) if data.evaluation_file else None


_BUILDERS: dict[type[DataPart], Callable] = {NanoData: _nano, CellData: _cells, FolderData: _folder}
