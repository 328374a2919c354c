"""What a search may try: methods with the values of their settings, and learning rates; typed YAML like recipes.

    recipe: nano-lora-b                      the run that is varied; its data, steps and batch stay the same for all
    every: 25                                steps between the evaluations at which a trial may be stopped
    lr: {low: 3e-4, high: 3e-2, log: true}
    methods:
      lora: {r: [2, 8], alpha: {per_rank: [1, 2]}, targets: [[q_proj, v_proj], all]}
      ia3: {targets: [k_proj, v_proj, down_proj], lr: [1e-2, 3e-2]}

A list is a choice, {low, high, log} a range, {per_rank: [...]} a choice of multiples of r, anything else is fixed.
Where a fixed value is itself a list (ia3's targets), it stays one: a choice of targets is a list with lists or "all".
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from lora_demo.methods import registry
from lora_demo.methods.errors import MethodError
from lora_demo.methods.skeleton import skeleton
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

LISTS = ("targets", "feedforward", "quantised")
"""Settings whose value is a list of names."""


class SearchError(ValueError):
    """A search that cannot be run; the message names the file, the field and the fix."""


@runtime_checkable
class Suggest(Protocol):
    """The part of `optuna.Trial` that draws values."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """All numbers from low to high; `log`: evenly by their logarithm."""

    low: PositiveFloat
    high: PositiveFloat
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must lie below high {self.high}")
        return self


class PerRank(_Part):
    """Multiples of the rank that was drawn."""

    per_rank: tuple[PositiveFloat, ...] = Field(min_length=1)


class MemoryPart(_Part):
    """The batch whose step's memory is predicted: rows, positions per row (image tokens included), supervised ones."""

    rows: PositiveInt
    length: PositiveInt
    supervised: PositiveInt | None = None


Rates = Range | tuple[PositiveFloat, ...]


class Search(_Part):
    """One search.

    settings  applied to the recipe, as `--set` does
    quality   "accuracy" (right answers), or "loss" where answers are too long to be exactly right
    trials    finished or stopped trials, of all machines together
    memory    the batch whose training step is predicted; the same for all trials, whatever they trained on
    """

    name: str = ""
    about: str
    recipe: str
    settings: tuple[str, ...] = ()
    quality: Literal["accuracy", "loss"] = "accuracy"
    trials: PositiveInt = 20
    every: PositiveInt
    seed: int = 0
    memory: MemoryPart
    lr: Rates
    methods: dict[str, dict[str, Any]] = Field(min_length=1)


def base_recipe(search: Search, settings: tuple[str, ...] = ()) -> Recipe:
    """The recipe that is varied, with the search's settings and these on top. Raises RecipeError or SearchError."""
    recipe = recipe_files.load(search.recipe, (*search.settings, *settings))
    if recipe.method.name == "towers":
        raise SearchError(f"search {search.name}: recipe {recipe.name} trains the towers, which has no methods to try")
    if search.every > recipe.steps:
        raise SearchError(f"search {search.name}: every {search.every} lies beyond the recipe's {recipe.steps} steps")
    return recipe


def draw(search: Search, suggest: Suggest) -> tuple[str, dict[str, Any], float]:
    """(method, its settings, learning rate), each drawn under a name of its own, e.g. "lora.r"."""
    method = suggest.suggest_categorical("method", sorted(search.methods))
    values = dict(search.methods[method])
    rates = values.pop("lr", search.lr)
    settings = {name: _draw(f"{method}.{name}", name, value, suggest) for name, value in values.items()}
    for name, value in settings.items():
        if isinstance(values[name], PerRank):
            settings[name] = _whole(value * settings["r"])
    return method, settings, float(_draw(f"{method}.lr", "lr", rates, suggest))


def candidate(recipe: Recipe, search: Search, drawn: tuple[str, dict[str, Any], float]) -> Recipe:
    """The recipe with what was drawn. Everything else stays; checkpoints inside the run are left out."""
    method, settings, lr = drawn
    raw = recipe.model_dump(mode="json")
    raw["method"] = {"name": method, "projectors": recipe.method.projectors and method != "full", **settings}
    raw["optimizer"]["lr"] = lr
    raw["evaluation"] |= {"every": search.every, "patience": None}
    raw["adaptive_rank"] = recipe.adaptive_rank and (raw["adaptive_rank"] if method == "adalora" else None)
    raw["save"] = {"every": None, "keep": 1}
    return recipe_files.parse(raw, f"{recipe.name}, tried as {spoken(method, settings)}")


def check_methods(search: Search, language_model: torch.nn.Module) -> None:
    """Apply every value of every setting once to a model without memory. Raises SearchError for what does not fit."""
    for method, settings in search.methods.items():
        for chosen in _each_value_once(settings):
            with torch.device("meta"):
                try:
                    registry.apply(skeleton(language_model), method, **chosen)
                except MethodError as error:
                    raise SearchError(f"search {search.name}: {spoken(method, chosen)}: {error}") from error


def spoken(method: str, settings: dict[str, Any]) -> str:
    """The form that `registry.parse` reads: lora:r=8,alpha=16,targets=q_proj+v_proj."""
    return f"{method}:{','.join(f'{name}={_label(value)}' for name, value in settings.items())}".removesuffix(":")


def choices(setting: str, value: Any) -> tuple[Any, ...]:
    """What a setting may be; one value if it is fixed."""
    if isinstance(value, PerRank):
        return value.per_rank
    if not isinstance(value, list | tuple):
        return (value,)
    fixed_list = setting in LISTS and all(isinstance(part, str) and part != "all" for part in value)
    return (value,) if fixed_list else tuple(value)


def _draw(name: str, setting: str, value: Any, suggest: Suggest) -> Any:
    if isinstance(value, Range):
        return suggest.suggest_float(name, value.low, value.high, log=value.log)
    labels = {_label(choice): choice for choice in choices(setting, value)}
    if len(labels) == 1:
        return next(iter(labels.values()))
    # Labels, because a storage keeps plain values only, and targets are lists.
    return labels[suggest.suggest_categorical(name, list(labels))]


def _each_value_once(settings: dict[str, Any]) -> list[dict[str, Any]]:
    options = {name: choices(name, value) for name, value in settings.items() if name != "lr"}
    first = {name: found[0] for name, found in options.items()}
    every = [first, *(first | {name: value} for name, found in options.items() for value in found[1:])]
    return [{name: _plain(name, value, settings, chosen) for name, value in chosen.items()} for chosen in every]


def _plain(name: str, value: Any, settings: dict[str, Any], chosen: dict[str, Any]) -> Any:
    if isinstance(value, Range):
        return value.low
    return _whole(value * chosen["r"]) if isinstance(settings[name], PerRank) else value


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(value) if isinstance(value, list | tuple) else str(value)


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value
