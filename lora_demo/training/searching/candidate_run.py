"""Training one candidate of a search after the other; data and what the frozen towers see are prepared once."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import torch

from lora_demo.training.engine.accelerated import open_accelerator
from lora_demo.training.engine.stopped import OutOfMemory, TrainingStopped
from lora_demo.training.loop import Loop
from lora_demo.training.preparation.prepare import apply_method, model_of, sources_of
from lora_demo.training.preparation.sources import Source
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.searching.search import SearchError
from lora_demo.training.searching.tuning import Trained, Watch
from lora_demo.training.step import NonFiniteLoss


class CandidateTrainer:
    """Implements `tuning.Train`. `folder` holds a trial's checkpoints while it runs, nothing afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources: tuple[Source, Source | None] | None = None

    def __call__(self, recipe: Recipe, watch: Watch) -> Trained:
        self.folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=self.folder, prefix=".trial-"))
        started = time.perf_counter()
        try:
            loop = self._loop(recipe, place, watch)
            trainable = sum(p.numel() for p in loop.bare.parameters() if p.requires_grad)
            stopped = _reason_to_stop(loop)
            return Trained(trainable, time.perf_counter() - started, stopped)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _loop(self, recipe: Recipe, place: Path, watch: Watch) -> Loop:
        if recipe.threads is not None:
            torch.set_num_threads(recipe.threads)
        model = model_of(recipe.model, recipe.seed)
        if self._sources is None:
            self._sources = sources_of(recipe, model)
        if self._sources[1] is None:
            raise SearchError(f"recipe {recipe.name} has no rows to judge trials by: set data.evaluation_file")
        torch.manual_seed(recipe.seed)
        return Loop(recipe, apply_method(model, recipe), *self._sources, place, open_accelerator(), watch=watch)


def _reason_to_stop(loop: Loop) -> str:
    """Run the loop; a candidate that diverges or does not fit is one that lost, not the end of the search."""
    try:
        loop.run()
    except OutOfMemory:
        return "out of memory"
    except TrainingStopped as error:
        if not isinstance(error.__cause__, NonFiniteLoss):
            raise
        return f"diverged at step {loop.progress.step + 1}"
    return ""
