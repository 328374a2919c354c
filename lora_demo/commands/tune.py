"""`lora-demo tune`: search methods, ranks, targets and learning rates; report quality against memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.commands.report_console import report_console
from lora_demo.memory.cards import card
from lora_demo.memory.predict import Setting, trace_subject
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.subject import PlannedSubject, SubjectError
from lora_demo.memory.tracing.cuda_kernels import WORKSPACE
from lora_demo.memory.tracing.trace import replay
from lora_demo.models import fingerprint, shipped
from lora_demo.models.config import MGMConfig
from lora_demo.models.mgm import MGM
from lora_demo.models.places import Places
from lora_demo.models.presets import mgm_preset
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.training.engine.accelerated import open_accelerator
from lora_demo.training.loop import TrainingStopped
from lora_demo.training.measurement.machine import device_name
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes.recipe import ModelPart, Recipe
from lora_demo.training.searching import search_files, tuning_report
from lora_demo.training.searching.candidate_run import CandidateTrainer
from lora_demo.training.searching.search import Search, SearchError, base_recipe, check_methods, spoken
from lora_demo.training.searching.tuning import Objective, finished, open_study, optimise

CARD = "rtx4090"


@dataclass(frozen=True)
class PredictedMemory:
    """Implements `tuning.Cost`: the predicted peak of a candidate's training step, the same on every machine."""

    search: Search
    config: MGMConfig

    def __call__(self, recipe: Recipe) -> int:
        method = spoken(recipe.method.name, recipe.method.settings)
        trace, _ = trace_subject(self._subject(recipe), self._setting(recipe, method))
        return replay(trace, workspace=WORKSPACE).peak_allocated

    def _subject(self, recipe: Recipe) -> PlannedSubject:
        with torch.device("meta"):
            return PlannedSubject(MGM(self.config).to(getattr(torch, recipe.model.dtype)))

    def _setting(self, recipe: Recipe, method: str) -> Setting:
        memory, chosen = self.search.memory, recipe.optimizer.implementation
        return Setting(
            model=self.config.name,
            method=method,
            batch=memory.rows,
            length=memory.length,
            # What is paged out to the host counts as if it stayed: an upper bound.
            optimizer="adamw8bit" if chosen == "paged-adamw8bit" else chosen,
            supervised=memory.supervised,
            adapter_fp32=False,
            gpu=CARD,
        )


@dataclass(frozen=True)
class Tuning:
    """One call of the command: a search, where its study lies, and what was asked for."""

    search: Search
    settings: tuple[str, ...]
    folder: Path
    storage: str
    study: str
    trials: int
    seconds: float | None

    @cached_property
    def recipe(self) -> Recipe:
        return base_recipe(self.search, self.settings)

    def run(self, console: Console) -> dict[str, Any]:
        """Check, search, report; writes `report.json` and `report.md`."""
        preflight.check(self.recipe, cuda=torch.cuda.is_available(), say=console.print)
        config = model_config(self.recipe.model)
        with torch.device("meta"):
            check_methods(self.search, MGM(config).language_model)
        study = open_study(self.storage, self.study, self.search, self.recipe)
        console.print(f"{finished(study)} of {self.trials} trials done so far", highlight=False)
        objective = Objective(
            self.search,
            self.recipe,
            CandidateTrainer(self.folder),
            PredictedMemory(self.search, config),
            say=lambda line: console.print(line, markup=False, highlight=False),
        )
        try:
            optimise(study, objective, trials=self.trials, seconds=self.seconds)
        finally:
            found = tuning_report.report(study, self.search, self.settings)
            tuning_report.write(found, self.folder)
        return found


def start(
    name: str,
    settings: Sequence[str],
    *,
    out: Path | None,
    storage: str | None,
    study: str | None,
    trials: int | None,
    minutes: float | None,
    record: bool = False,
    as_json: bool = False,
) -> int:
    """Search and print the front. Exit status 0 done, 1 stopped with a reason, 2 bad input."""
    errors = Console(stderr=True)
    if record and (settings or trials is not None or minutes is not None):
        errors.print("--record keeps the search as it stands; leave --set, --trials and --minutes out", highlight=False)
        return 2
    try:
        search = search_files.load(name)
        folder = out or Path("runs") / f"tune-{search.name}"
        tuning = Tuning(
            search=search,
            settings=tuple(settings),
            folder=made(folder),
            storage=storage or f"sqlite:///{folder / 'study.db'}",
            study=study or search.name,
            trials=search.trials if trials is None else trials,
            seconds=None if minutes is None else 60 * minutes,
        )
        found = tuning.run(errors)
    except (*BAD_INPUT, SearchError, BuildError, SubjectError) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except TrainingStopped as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except OSError as error:
        errors.print(f"the report cannot be written: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on from here", style="yellow")
        return 1
    if record:
        saved = study_record(tuning, found).save(records_dir())
        errors.print(str(saved), markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show(found, folder)
    return 0


def study_record(tuning: Tuning, found: dict[str, Any]) -> Record:
    """The front and every trial of a study, without the commands that train them anew."""
    trials = [{key: value for key, value in row.items() if key != "command"} for row in found["trials"]]
    return Record(
        name=f"tune-{tuning.search.name}",
        configuration=settled(tuning.search),
        samples={"front": found["front"], "trials": trials},
        seed=tuning.search.seed,
        device=device_name(open_accelerator().device),
        versions=installed_versions(),
        date=today(),
    )


def settled(search: Search) -> dict[str, Any]:
    """What a study's outcome depends on: the search, the recipe it varies, and the base if that is the shipped one."""
    recipe = base_recipe(search)
    shipped_base = recipe.model.weights == "shipped"
    return {
        "search": search.model_dump(mode="json", exclude={"about"}),
        "recipe": recipe.model_dump(mode="json", exclude={"about"}),
        "base": fingerprint.of(shipped.load_nano()) if shipped_base else recipe.model.weights,
    }


def made(folder: Path) -> Path:
    """The folder, new if it was not there; a SearchError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"--out {folder}: cannot be written: {error}") from error
    return folder


def model_config(part: ModelPart) -> MGMConfig:
    """The model that a recipe names, without its weights."""
    if part.weights in ("shipped", "random"):
        return mgm_preset(part.preset)
    places = Places(Path(part.weights))
    return places.config(places.collect())


def listing() -> str:
    """The shipped searches, one per line."""
    names = search_files.shipped()
    width = max(map(len, names))
    return "\n".join(f"{name:{width}}  {search_files.load(name).about}" for name in names)


def show(found: dict[str, Any], folder: Path) -> None:
    """The front as a table, and where the rest lies."""
    rows = {row["number"]: tuning_report.Row(**row) for row in found["trials"]}
    table = Table(title=f"{found['study']}: Pareto front of {len(rows)} trials")
    for head in tuning_report.HEADS:
        table.add_column(head, overflow="fold")
    for number in found["front"]:
        table.add_row(*tuning_report.cells(rows[number]))
    console = report_console()
    console.print(table)
    console.print(f"Quality: {found['quality']} on the validation rows. Memory: predicted for {card(CARD).name}.")
    console.print(f"All trials and the commands that train these anew: {folder / 'report.md'}", soft_wrap=True)
