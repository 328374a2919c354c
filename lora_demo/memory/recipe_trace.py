"""The peak of a recipe's step on a GPU, predicted: the recipe's own model and switches, traced on the meta device.

Unlike `predict.Setting` this needs no translation of a recipe: `training.preflight` builds the model with its method
and savers, and the step is the one that the loop runs. Packed bases are traced with our own packing, whose temporaries
are larger than those of bitsandbytes' kernels: for them the prediction is an upper bound.
"""

from __future__ import annotations

from lora_demo.memory.cards import card
from lora_demo.memory.subjects.subject import PlannedSubject, Size
from lora_demo.memory.tracing.cuda_kernels import WORKSPACE, WORKSPACE_HOPPER, cuda_kernels
from lora_demo.memory.tracing.loops import trace_steps
from lora_demo.memory.tracing.optimizer_choice import make_optimizer
from lora_demo.memory.tracing.trace import Replay, Trace, replay
from lora_demo.memory.tracing.tracker import StorageTracker, watch_model
from lora_demo.models.spliced import SplicedModel
from lora_demo.training.loop import forward_options
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.step import StepOptions


def predict_recipe(recipe: Recipe, gpu: str = "rtx4090") -> Replay:
    """Peak and parts of one update. Raises RecipeError for what cannot be traced, and what `preflight.check` raises."""
    return replay(trace_recipe(recipe), workspace=WORKSPACE_HOPPER if card(gpu).hopper else WORKSPACE)


def trace_recipe(recipe: Recipe) -> Trace:
    """Two updates of a recipe on synthetic data: the second holds the optimizer's state from the first."""
    data = recipe.data
    if not isinstance(data, SyntheticData):
        raise RecipeError(f"recipe {recipe.name}: traced are synthetic rows; see training.measuring")
    model = preflight.check(recipe, cuda=True)
    model.train()
    rows = recipe.micro_batch or recipe.batch
    batch = [Size(rows, data.length, data.supervised)] * (recipe.batch // rows)
    return _trace(model, recipe, batch)


def _trace(model: SplicedModel, recipe: Recipe, batch: list[Size]) -> Trace:
    subject = PlannedSubject(model)
    tracker = StorageTracker(subject.vocabulary)
    handles = watch_model(tracker, model)
    name = recipe.optimizer.implementation.removeprefix("paged-")
    optimizer = make_optimizer(name, list(model.parameters()))  # pyright: ignore[reportArgumentType]
    options = StepOptions(recipe.clip_norm, forward_options(recipe), check_finite=False)
    with tracker, cuda_kernels():
        trace_steps(subject, tracker, optimizer, batch, options, autocast=recipe.precision == "bf16")
    for handle in handles:
        handle.remove()
    return tracker.trace
