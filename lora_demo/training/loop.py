"""The loop around the step: order, learning rate, evaluation, early stop, checkpoints, metrics.

Resuming is bit-identical on a CPU: the order of samples and the learning rate are pure functions of the step, the
random state is restored, the loader draws from a generator of its own, and checkpoints lie between updates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lora_demo.data.items import DataError
from lora_demo.models.wide_products import wide_where_needed
from lora_demo.training.engine import adaptive_rank, checkpoint, metrics, sharded
from lora_demo.training.engine.accelerated import AcceleratedEngine
from lora_demo.training.engine.display import Display, Quiet
from lora_demo.training.engine.metrics import Metrics
from lora_demo.training.engine.optimizers import build
from lora_demo.training.engine.order import Order, cut, share
from lora_demo.training.engine.schedule import factor
from lora_demo.training.engine.stopped import OutOfMemory, TrainingStopped, lost_worker, out_of_memory_named
from lora_demo.training.evaluation import Evaluation, evaluate, read_back
from lora_demo.training.preparation.placing import placed, prepared
from lora_demo.training.preparation.sources import Source, micro_batch
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_change import changes
from lora_demo.training.step import MicroBatch, NonFiniteLoss, StepOptions, StepResult, step


@dataclass(frozen=True)
class Outcome:
    """What a finished run reports; seconds are of the loop alone, without loading and preparing.

    evaluation  the last one;  best  that of `best_step`, whose weights are the result
    """

    steps: int
    loss: float | None
    evaluation: Evaluation | None
    best: Evaluation | None
    best_step: int | None
    seconds: float
    cpu_seconds: float
    losses: list[float] = field(default_factory=list)


class StepInputs(Dataset[list[list[int]]]):
    """The rows of each step on this process, cut into micro-batches; `inputs` loads them."""

    def __init__(self, source: Source, order: Order, recipe: Recipe, rank: int, processes: int) -> None:
        self.source, self.order, self.recipe, self.rank, self.processes = source, order, recipe, rank, processes

    def __getitem__(self, number: int) -> Any:
        rows = share(self.order.indices(number), self.rank, self.processes)
        return [(part, self.source.inputs(part)) for part in cut(rows, self.recipe.micro_batch)]


class Loop:
    """One run of a recipe on a prepared model. `folder` receives metrics and checkpoints.

    watch  told of every evaluation; what it raises ends the run
    """

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        train: Source,
        validation: Source | None,
        folder: Path,
        accelerator: Accelerator,
        display: Display | None = None,
        watch: Callable[[int, Evaluation], None] | None = None,
    ) -> None:
        self.recipe, self.train, self.validation = recipe, train, validation
        self.folder, self.checkpoints = folder, folder / checkpoint.FOLDER
        self.accelerator, self.display, self.watch = accelerator, display or Quiet(), watch
        with out_of_memory_named(lambda: "moving the model to its device"):
            self.bare = placed(model, recipe, accelerator)
            optimizer = build(model.parameters(), **recipe.optimizer.model_dump())
            self.model, self.optimizer = prepared(self.bare, optimizer, accelerator)
        if recipe.adaptive_rank is not None:
            adaptive_rank.attach(self.bare, self.optimizer, recipe.adaptive_rank, recipe.steps)
        self.engine = AcceleratedEngine(accelerator, recipe.precision)
        self.judging = {} if recipe.method.name == "towers" else {"supervised_only": True}
        self.options = StepOptions(clip_norm=recipe.clip_norm, forward=forward_options(recipe))
        self.progress = checkpoint.Progress(sharded=sharded.active(accelerator), recipe=recipe.model_dump(mode="json"))
        self.last: Evaluation | None = None
        self.best: Evaluation | None = None

    def resume(self) -> int:
        """Go back to the newest sound checkpoint, if there is one; returns the step to go on from."""
        if self.accelerator.is_main_process:
            checkpoint.recover(self.checkpoints)
        self.accelerator.wait_for_everyone()
        path = checkpoint.newest(self.checkpoints)
        if path is not None:
            self._require_same(checkpoint.read_progress(path), path)
            found = checkpoint.restore(path, self.bare, self.accelerator)
            self.progress = replace(found, recipe=self.progress.recipe)
            self.last = read_back(metrics.last(self.folder, "evaluation"))
            self.best = read_back(metrics.at(self.folder, found.best_step, "evaluation"))
        return self.progress.step

    def _require_same(self, stored: checkpoint.Progress, path: Path) -> None:
        if different := changes(stored.recipe, self.progress.recipe):
            raise TrainingStopped(
                f"{path} belongs to another recipe: {', '.join(different)} differ. "
                "Resume with the recipe it was started with, or start anew with --overwrite"
            )

    def run(self) -> Outcome:
        """Train to the end or to an early stop. Raises TrainingStopped with the last good checkpoint intact."""
        started, cpu = time.perf_counter(), time.process_time()
        if self.progress.step == 0:
            torch.manual_seed(self.recipe.seed)
        losses: list[float] = []
        self.model.train()
        try:
            self._train(losses)
        except TrainingStopped:
            raise
        except RuntimeError as error:
            if reason := lost_worker(error, self.engine.processes):
                raise TrainingStopped(f"after step {self.progress.step}: {reason}; {self._kept()}") from error
            raise
        except OSError as error:
            raise TrainingStopped(f"after step {self.progress.step}: {error}; {self._kept()}") from error
        self._finish()
        return Outcome(
            steps=self.progress.step,
            loss=losses[-1] if losses else metrics.last(self.folder, "loss"),
            evaluation=self.last,
            best=self.best,
            best_step=self.progress.best_step,
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
            losses=losses,
        )

    def _train(self, losses: list[float]) -> None:
        with self.display, wide_where_needed(self.accelerator.device, bfloat16=self.recipe.in_bfloat16):
            self.display.start(self.recipe.name, self.progress.step, self.recipe.steps)
            losses.extend(self.steps())

    def _metrics(self) -> Metrics:
        return Metrics(self.folder, from_step=self.progress.step, tensorboard=self.recipe.tensorboard)

    def steps(self) -> Generator[float, None, None]:
        """The loss of each step, made as it is asked for; with evaluations and checkpoints where they are due."""
        told = self._metrics() if self.accelerator.is_main_process else None
        for batch in () if self._patience_spent() else self._batches():
            lr = self._set_rate()
            since = time.perf_counter()
            result = self._step(batch)
            self.progress.step += 1
            self._report(told, result, lr, batch, time.perf_counter() - since)
            yield float(result.loss)
            if self._evaluate_if_due(told):
                self.display.say(f"stopped early: no better accuracy in {self.progress.stale} evaluations")
                return
            self._save_if_due()

    def _step(self, batch: Sequence[MicroBatch]) -> StepResult:
        number = self.progress.step + 1
        try:
            with out_of_memory_named(lambda: f"the {self.engine.doing} of step {number}"):
                return step(self.model, batch, self.optimizer, self.options, self.engine)
        except NonFiniteLoss as error:
            raise TrainingStopped(
                f"step {number}: {error}; the update was not made and {self._kept()}. "
                "Look at the data of this step, or start anew with a lower optimizer.lr or a longer schedule.warmup"
            ) from error

    def _kept(self) -> str:
        kept = checkpoint.newest(self.checkpoints)
        return f"the last good checkpoint is {kept}" if kept else "no checkpoint had been written yet"

    def _batches(self) -> Iterator[list[MicroBatch]]:
        order = Order(len(self.train), self.recipe.batch, self.recipe.seed)
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        inputs = StepInputs(self.train, order, self.recipe, rank, processes)
        # Its own generator: otherwise starting the loader would draw from the random state that resuming restores.
        loader = DataLoader(
            inputs,
            batch_size=None,
            sampler=range(self.progress.step, self.recipe.steps),
            num_workers=self.recipe.workers,
            generator=torch.Generator().manual_seed(self.recipe.seed),
        )
        for parts in _plainly(loader):
            yield [micro_batch(values, self.bare, self.accelerator.device) for _, values in parts]

    def _set_rate(self) -> float:
        shape = self.recipe.schedule.model_dump()
        lr = self.recipe.optimizer.lr * factor(self.progress.step, self.recipe.steps, **shape)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def _report(
        self, told: Metrics | None, result: StepResult, lr: float, batch: Sequence[MicroBatch], seconds: float
    ) -> None:
        loss = float(result.loss)
        speed = sum(micro.tokens for micro in batch) * self.engine.processes / seconds
        self.display.advance(self.progress.step, loss, speed)
        if told is not None:
            norm = None if result.gradient_norm is None else float(result.gradient_norm)
            values = {"loss": loss, "gradient_norm": norm, "lr": lr, "tokens_per_second": round(speed, 1)}
            told.write(step=self.progress.step, **values)

    def _evaluate_if_due(self, told: Metrics | None) -> bool:
        """Evaluate where the recipe says so; True if the run should stop."""
        plan = self.recipe.evaluation
        at_end = self.progress.step == self.recipe.steps
        due = at_end or (plan.every is not None and self.progress.step % plan.every == 0)
        if self.validation is None or not due:
            return False
        self.last = self._evaluated(self.validation)
        if told is not None:
            told.write(step=self.progress.step, evaluation=self.last.to_json())
        self.display.say(f"step {self.progress.step}: {self.last.accuracy:.1%} of {self.last.rows} answers right")
        self._note_best(self.last)
        if self.watch is not None:
            self.watch(self.progress.step, self.last)
        return self._patience_spent()

    def _evaluated(self, validation: Source) -> Evaluation:
        """Judge the model as it stands; where that takes too much memory, the steps until here are kept first."""
        plan, step = self.recipe.evaluation, self.progress.step
        try:
            with out_of_memory_named(lambda: f"the evaluation after step {step}"):
                return evaluate(self.bare, validation, rows=plan.rows, batch=plan.batch, forward=self.judging)
        except OutOfMemory as error:
            self._save(f"{checkpoint.STEP}{step:07d}")
            raise TrainingStopped(f"{error}; {self._kept()}. Lower evaluation.batch ({plan.batch} rows)") from error
        finally:
            sharded.let_go(self.bare)

    def _patience_spent(self) -> bool:
        patience = self.recipe.evaluation.patience
        return patience is not None and self.progress.stale >= patience

    def _note_best(self, found: Evaluation) -> None:
        best = self.progress
        better = best.best_accuracy is None or (found.accuracy, -found.loss) > (
            best.best_accuracy,
            -(best.best_loss or 0),
        )
        if better:
            self.best = found
            best.best_accuracy, best.best_loss, best.best_step, best.stale = found.accuracy, found.loss, best.step, 0
            self._save(checkpoint.BEST)
        else:
            best.stale += 1

    def _save_if_due(self) -> None:
        every = self.recipe.save.every
        if every is not None and self.progress.step % every == 0 and self.progress.step < self.recipe.steps:
            self._save(f"{checkpoint.STEP}{self.progress.step:07d}")

    def _finish(self) -> None:
        self._save(f"{checkpoint.STEP}{self.progress.step:07d}")

    def _save(self, name: str) -> None:
        try:
            checkpoint.save(self.checkpoints, name, self.bare, self.accelerator, self.progress)
        except checkpoint.CheckpointError as error:
            # A dead worker is told by a signal, wherever the loop stands: here it looks like a failed write.
            reason = lost_worker(error.__cause__, self.engine.processes)
            said = f"{reason}; {self._kept()}" if reason else error
            raise TrainingStopped(f"step {self.progress.step}: {said}") from error
        if self.accelerator.is_main_process:
            checkpoint.prune(self.checkpoints, self.recipe.save.keep)


def _plainly(loader: Iterable[Any]) -> Iterator[Any]:
    """What the loader gives; a loading process hands on its whole traceback, of which the message is what counts."""
    try:
        yield from loader
    except DataError as error:
        raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error


def forward_options(recipe: Recipe) -> dict[str, Any]:
    """Keyword arguments of every training forward."""
    if recipe.method.name == "towers":
        return {}
    chunk = {"loss_chunk": recipe.loss_chunk, "loss_kernel": recipe.loss_kernel} if recipe.loss_chunk else {}
    return {"supervised_only": recipe.supervised_only, **chunk}
