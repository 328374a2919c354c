"""The experiments by name: what each is about, the recipes it trains, the function that measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lora_demo.lab import adaptive_rank, learning_rates, nano_methods, quantised_base, several_adapters
from lora_demo.lab.workshop import Workshop
from lora_demo.models import fingerprint, shipped
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.training.recipes.recipe import Recipe


@dataclass(frozen=True)
class Experiment:
    """`measure` returns plain values, the samples of the record; `finds`: parts of recipes that are its result."""

    about: str
    recipes: tuple[str, ...]
    measure: Callable[[Workshop], dict[str, Any]]
    finds: tuple[str, ...] = ()

    def noted(self, recipe: Recipe) -> dict[str, Any]:
        """The recipe without its description and what the experiment finds, as its record keeps it."""
        kept = recipe.model_dump(mode="json", exclude={"about", *self.finds} - {"lr"})
        if "lr" in self.finds:
            del kept["optimizer"]["lr"]
        return kept


EXPERIMENTS = {
    "learning-rates": Experiment(
        "The learning rate of every method on family B, chosen on validation questions (about half an hour).",
        learning_rates.RECIPES,
        learning_rates.measure,
        finds=("lr", "batch", "steps"),
    ),
    "nano-methods": Experiment(
        "Every method on family B: accuracy before and after, what it forgets of A, parameters, seconds.",
        nano_methods.RECIPES,
        nano_methods.measure,
    ),
    "adaptive-rank": Experiment(
        "AdaLoRA against LoRA of the same final budget, and where AdaLoRA leaves its ranks.",
        (adaptive_rank.ADAPTIVE, adaptive_rank.UNIFORM),
        adaptive_rank.measure,
    ),
    "quantised-base": Experiment(
        "LoRA on a base in NF4: what packing loses, what training wins back, the adapter moved to the original base.",
        (quantised_base.PACKED, quantised_base.PLAIN),
        quantised_base.measure,
    ),
    "several-adapters": Experiment(
        "Adapters for two families on one base: switched, averaged, mixed within one batch.",
        tuple(several_adapters.ADAPTERS.values()),
        several_adapters.measure,
    ),
}


def run(name: str, lab: Workshop) -> Record:
    """Measure an experiment anew."""
    experiment = EXPERIMENTS[name]
    samples = experiment.measure(lab)
    recipes = {recipe: experiment.noted(lab.recipe(recipe)) for recipe in experiment.recipes}
    return Record(
        name=name,
        configuration={"recipes": recipes, "test_images": lab.images, "base": fingerprint.of(shipped.load_nano())},
        samples=samples,
        seed=lab.recipe(experiment.recipes[0]).seed,
        device="cpu",
        versions=installed_versions(),
        date=today(),
    )
