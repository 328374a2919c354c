"""What experiments share: models trained by recipe, the held-out questions, and runs that are made only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_demo.data.nano_grid import Family
from lora_demo.lab import nano_evidence
from lora_demo.models import shipped
from lora_demo.models.mgm import MGM
from lora_demo.training.preparation.sources import SeenSource
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.run import Finished, run

FAMILIES: tuple[Family, ...] = ("a", "b")


@dataclass
class Workshop:
    """One call of `lora-demo lab`.

    folder    where runs are made, each once for all experiments of the call
    settings  applied to every recipe, as `--set` does
    images    held-out pictures per family
    say       receives one line per run
    """

    folder: Path
    settings: Sequence[str] = ()
    images: int = nano_evidence.TEST_IMAGES
    say: Callable[[str], None] = field(default=lambda line: None)
    _finished: dict[str, Finished] = field(default_factory=dict)
    _held_out: dict[Family, SeenSource] = field(default_factory=dict)

    def recipe(self, name: str, *more: str) -> Recipe:
        return recipe_files.load(name, [*self.settings, *more])

    def trained(self, name: str, *more: str) -> Finished:
        """The finished run of a recipe with these settings on top; its model is shared, so leave it as it is."""
        label = "+".join([name, *more])
        if label not in self._finished:
            self.say(f"training {label}")
            done = run(self.recipe(name, *more), self.folder / str(len(self._finished)), overwrite=True)
            done.model.eval()
            self._finished[label] = done
        return self._finished[label]

    def held_out(self, family: Family) -> SeenSource:
        """The family's fixed test questions, seen by the shipped towers, which no recipe here changes."""
        if family not in self._held_out:
            self._held_out[family] = nano_evidence.held_out(family, shipped.load_nano(), images=self.images)
        return self._held_out[family]

    def judge(self, model: MGM) -> dict[str, Any]:
        """Held-out accuracy by family, and within it by question kind."""
        return {family: nano_evidence.accuracies(model, self.held_out(family)) for family in FAMILIES}
