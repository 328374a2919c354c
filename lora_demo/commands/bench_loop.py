"""The training loop on nano against a bare PyTorch loop, step by step in one process.

Both train the same model on the same batches; each round takes one step of either, in turns first and second. The bare
loop is what one writes by hand: forward, backward, clipping, AdamW, learning rate, nothing noted. Both must report the
same losses, bit for bit, or the comparison is refused: then they did not do the same work.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lora_demo.commands.bench_methods import CLOCKS, bootstrap
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.training.engine.accelerated import open_accelerator
from lora_demo.training.engine.order import Order
from lora_demo.training.engine.schedule import factor
from lora_demo.training.loop import Loop, forward_options
from lora_demo.training.preparation.prepare import apply_method, model_of, sources_of
from lora_demo.training.preparation.sources import Source, micro_batch
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

BAR = 0.95
"""Lower 95 % bound of the loop's throughput over the bare loop's."""
SIDES = ("loop", "bare")
Readings = dict[str, dict[str, list[float]]]


class DifferentWork(RuntimeError):
    """The two loops did not compute the same losses, so their times cannot be compared."""


@dataclass(frozen=True)
class Plan:
    """recipe: which run; rounds: steps of either side; skipped: first rounds that are thrown away."""

    recipe: str = "nano-lora-b"
    rounds: int = 120
    skipped: int = 5
    threads: int = 2
    settings: tuple[str, ...] = ()

    def load(self) -> Recipe:
        steps = [f"steps={self.rounds + self.skipped + 1}", f"threads={self.threads}"]
        return recipe_files.load(self.recipe, [*self.settings, *steps, "evaluation.every=null", "save.every=null"])


def run(plan: Plan) -> Record:
    """Measure. Raises DifferentWork."""
    recipe = plan.load()
    torch.set_num_threads(plan.threads)
    with tempfile.TemporaryDirectory() as folder:
        sides = {"loop": ours(recipe, Path(folder)), "bare": bare(recipe)}
        readings, losses = paired(sides, plan)
        for side in sides.values():
            side.close()
    if losses["loop"] != losses["bare"]:
        first = next(n for n, (a, b) in enumerate(zip(*losses.values(), strict=True)) if a != b)
        raise DifferentWork(f"losses differ from step {first + 1} on: {losses['loop'][first]} {losses['bare'][first]}")
    return Record(
        name="bench-loop",
        configuration=asdict(plan) | {"resolved": recipe.model_dump(mode="json")},
        samples={"seconds": readings, "loss": losses["loop"]},
        seed=recipe.seed,
        device=f"cpu, {plan.threads} threads",
        versions=installed_versions(),
        date=today(),
        notes={"unit": "seconds per step, one entry per round; the loop's include metrics, learning rate and loader"},
    )


def model_for(recipe: Recipe) -> Any:
    return model_of(recipe.model, recipe.seed)


def ours(recipe: Recipe, folder: Path) -> Generator[float, None, None]:
    """The project's loop, one loss per step."""
    model = model_for(recipe)
    sources = sources_of(recipe, model)
    torch.manual_seed(recipe.seed)
    loop = Loop(recipe, apply_method(model, recipe), *sources, folder, open_accelerator())
    loop.model.train()
    return loop.steps()


def bare(recipe: Recipe) -> Generator[float, None, None]:
    """The same written by hand."""
    model = model_for(recipe)
    source: Source = sources_of(recipe, model)[0]
    torch.manual_seed(recipe.seed)
    apply_method(model, recipe).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.optimizer.lr, weight_decay=recipe.optimizer.weight_decay)
    order, options = Order(len(source), recipe.batch, recipe.seed), forward_options(recipe)
    for number in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.optimizer.lr * factor(number, recipe.steps, **recipe.schedule.model_dump())
        batch = micro_batch(source.inputs(order.indices(number)), model)
        loss = model(**batch.inputs, **options, denominator=float(batch.terms)).loss
        loss.backward()
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(trained, recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield float(loss.detach())


def paired(sides: dict[str, Generator[float, None, None]], plan: Plan) -> tuple[Readings, dict[str, list[float]]]:
    """(seconds per clock, side and round; losses per side), the sides alternating in who goes first."""
    readings: Readings = {clock: {name: [] for name in sides} for clock in CLOCKS}
    losses: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(plan.skipped + plan.rounds):
        for name in SIDES if turn % 2 else SIDES[::-1]:
            seconds = timed(lambda name=name: losses[name].append(next(sides[name])))
            for clock, spent in seconds.items() if turn >= plan.skipped else ():
                readings[clock][name].append(spent)
    return readings, losses


def timed(call: Callable[[], Any]) -> dict[str, float]:
    """Seconds by clock."""
    before = {clock: read() for clock, read in CLOCKS.items()}
    call()
    return {clock: read() - before[clock] for clock, read in CLOCKS.items()}


def summary(record: Record) -> dict[str, dict[str, float]]:
    """Per clock: the loop's throughput over the bare loop's, as the median of the rounds with its 95 % interval."""
    found = {}
    for clock, seconds in record.samples["seconds"].items():
        ratios = [bare / loop for loop, bare in zip(seconds["loop"], seconds["bare"], strict=True)]
        low, high = bootstrap(ratios)
        found[clock] = {
            "throughput": statistics.median(ratios),
            "low": low,
            "high": high,
            "loop_seconds": statistics.median(seconds["loop"]),
            "bare_seconds": statistics.median(seconds["bare"]),
        }
    return found


def within_bar(record: Record) -> bool:
    """Whether the loop reaches BAR of the bare loop's throughput, by the lower bound, in wall time."""
    return summary(record)["wall"]["low"] >= BAR


def save(record: Record) -> Path:
    return record.save(records_dir())
