"""How long a step on this CPU will take and how much memory, said before a weight is made.

    seconds = operations of the step / operations per second of this machine
    bytes   = weights + gradients, moments and their update + what the forward keeps + the widest copy + the interpreter

Operations and kept tensors are counted by running the real step on the meta device; the machine's speed is one product
of the model's own width, timed. Both are estimates: tests hold the bytes against a recorded run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lora_demo.models.config import MGMConfig
from lora_demo.models.splice import Plan
from lora_demo.models.spliced import SplicedModel
from lora_demo.models.wide_products import has_bfloat16_units
from lora_demo.results.units import MIB
from lora_demo.training.engine.optimizers import EIGHT_BIT
from lora_demo.training.loop import forward_options
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import SyntheticData

INTERPRETER = 600 * MIB
"""Python, PyTorch and transformers, loaded."""
FULL_SIZE = 500_000_000
"""From so many parameters on a step on a CPU is worth a forecast."""
WORDS, ANSWERED = 128, 64
"""Text positions, and supervised ones, of a row whose data is not synthetic."""
ROWS, WIDTH = 512, 2048


@dataclass(frozen=True)
class Forecast:
    """Of one update. `least` is what weights and optimizer need alone: with less the run cannot even begin."""

    operations: float
    seconds: float
    least: int
    peak: int


def forecast(model: SplicedModel, recipe: Recipe) -> Forecast:
    """`model` on the meta device, with its method, as `preflight.check` returns it."""
    rows = min(recipe.micro_batch or recipe.batch, recipe.batch)
    operations, kept = _count(model, recipe, rows)
    frozen = [tensor for tensor in (*model.parameters(), *model.buffers()) if not tensor.requires_grad]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    least = sum(t.nbytes for t in frozen) + sum(_with_states(p, recipe) for p in trained) + INTERPRETER
    return Forecast(
        operations=operations * recipe.batch / rows,
        seconds=operations * recipe.batch / rows / operations_per_second(bfloat16=recipe.in_bfloat16),
        least=least,
        peak=least + kept + _widest_copy(model, recipe),
    )


def operations_per_second(*, bfloat16: bool = False) -> float:
    """Of this machine now: the best of three timed products, in float32 where there are no units for bfloat16."""
    dtype = torch.bfloat16 if bfloat16 and has_bfloat16_units() else torch.float32
    x, w = torch.randn(ROWS, WIDTH, dtype=dtype), torch.randn(WIDTH, WIDTH, dtype=dtype)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(x, w)
        times.append(time.perf_counter() - start)
    return 2 * ROWS * WIDTH * WIDTH / min(times)


def _count(model: SplicedModel, recipe: Recipe, rows: int) -> tuple[float, int]:
    """Operations of forward and backward over `rows` rows, and the bytes that the forward keeps for the backward."""
    inputs, terms = _paper_rows(model, recipe, rows)
    kept: dict[int, Tensor] = {}
    owned = {p.untyped_storage()._cdata for p in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in owned:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    model.train()
    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(**inputs, **forward_options(recipe), denominator=terms).loss
        held = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        loss.backward()
    for parameter in model.parameters():
        parameter.grad = None
    model.eval()
    return float(counter.get_total_flops()), held


def _paper_rows(model: SplicedModel, recipe: Recipe, rows: int) -> tuple[dict[str, Any], int]:
    config = model.config
    words, answered = WORDS, ANSWERED
    if isinstance(recipe.data, SyntheticData):
        words = recipe.data.length - config.image_tokens
        answered = min(recipe.data.supervised or words, words - 1)
    sees = isinstance(config, MGMConfig)
    row = [2, *([config.splice.image_token_index] if sees else [])] + [7] * (words - 1)
    labels = [config.splice.ignore_index] * (len(row) - answered) + [7] * answered
    ids = torch.tensor([row] * rows)
    plan: Plan = model.plan(ids, torch.ones_like(ids), torch.tensor([labels] * rows), images=rows if sees else None)
    text = {"input_ids": ids.to("meta"), "plan": plan}
    if not isinstance(config, MGMConfig):
        return text, rows * answered
    dtype = next(model.parameters()).dtype
    pictures = {
        name: torch.empty((rows, 3, side, side), dtype=dtype, device="meta")
        for name, side in (("images", config.clip.image_size), ("images_aux", config.aux.image_size))
    }
    return {**pictures, **text}, rows * answered


def _with_states(parameter: Tensor, recipe: Recipe) -> int:
    """Bytes of a trained parameter with gradient, two moments, and the temporary copy of a foreach update."""
    implementation = recipe.optimizer.implementation
    moments = 2 * parameter.numel() if implementation in EIGHT_BIT else 2 * parameter.nbytes
    return 2 * parameter.nbytes + moments + (parameter.nbytes if implementation == "foreach" else 0)


def _widest_copy(model: nn.Module, recipe: Recipe) -> int:
    """The float32 copy of the largest weight, where bfloat16 is multiplied without units for it."""
    if not recipe.in_bfloat16 or has_bfloat16_units():
        return 0
    return 4 * max(p.numel() for p in model.parameters())
