"""`lora-demo measure`: a few real steps of a recipe, and a record of what they took."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lora_demo.commands.foretold import foretell
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.memory.cards import card
from lora_demo.models.presets import model_preset
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.results.units import GIB
from lora_demo.training.engine.stopped import TrainingStopped
from lora_demo.training.measurement.device_cap import cap_memory, own_device
from lora_demo.training.measurement.machine import device_name, driver
from lora_demo.training.measurement.measuring import Measured, as_measured, measure
from lora_demo.training.preparation.synthetic import fitting
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.recipes.recipe_data import SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError

USUAL_SIZES = {"mgm-nano": (120, 24)}
LARGE_SIZES = (1024, 128)
"""(positions, supervised ones) of a row; where a length is asked for that has fewer words, all of them count."""


@dataclass(frozen=True)
class Request:
    """What is asked for. Sizes None: what the recipe's synthetic data says, else `USUAL_SIZES`.

    supervised  positions per row that count in the loss; 0: every text position
    as_written  weights and data of the recipe, instead of random ones
    """

    recipe: str
    settings: tuple[str, ...] = ()
    steps: int = 3
    length: int | None = None
    batch: int = 1
    supervised: int | None = None
    as_gpu: str | None = None
    as_written: bool = False

    @property
    def name(self) -> str:
        """Name of the record on this machine; what differs from the recipe stands in it."""
        sizes = [f"t{self.length}"] if self.length else []
        sizes += [f"b{self.batch}"] if self.batch > 1 else []
        sizes += [f"s{self.supervised}"] if self.supervised is not None else []
        kind = ["as-written"] if self.as_written else []
        cap = [f"as-{self.as_gpu}"] if self.as_gpu else []
        return "-".join(["measured", _slug(self.recipe), *kind, *sizes, *map(_slug, self.settings), *cap, here()])


def run(request: Request, *, record: bool, as_json: bool) -> int:
    """Measure and print. Exit status 0 all steps ran, 1 stopped early (out of memory is recorded as well), 2 bad input.

    What prevents the record from being written is told before anything is measured.
    """
    errors = Console(stderr=True)
    try:
        recipe = recipe_of(request)
        if record:
            require_writable(records_dir())
        foretell(recipe, errors)
        limit = _cap(request.as_gpu)
        done = record_of(request, recipe, limit, measure(recipe))
        if record:
            done.save(records_dir())
    except (*BAD_INPUT, OSError) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except TrainingStopped as error:
        errors.print(f"{request.name}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    print(json.dumps(asdict(done), ensure_ascii=False, indent=1) if as_json else described(done))
    return 1 if done.samples["stopped"] else 0


def require_writable(folder: Path) -> None:
    """Raise RecipeError if no record can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        words = "run in a checkout that can be written, set LORA_DEMO_ROOT to one, or leave out --record"
        raise RecipeError(f"{folder}: no record can be written: {error}; {words}") from error


def recipe_of(request: Request) -> Recipe:
    """The recipe as it will run. Raises RecipeError, or ConfigError for a model that has no rows of its own."""
    recipe = recipe_files.load(request.recipe, request.settings)
    length, supervised = _sizes_as_written(request) if request.as_written else _sizes(request, recipe)
    return as_measured(
        recipe,
        steps=request.steps,
        length=length,
        batch=request.batch,
        supervised=supervised,
        as_written=request.as_written,
    )


def _sizes(request: Request, recipe: Recipe) -> tuple[int, int | None]:
    """(positions, supervised ones): what is asked for, else the recipe's own, else usual ones of its model."""
    config = model_preset(recipe.model.preset)
    own = recipe.data if isinstance(recipe.data, SyntheticData) else None
    length, supervised = (own.length, own.supervised) if own else USUAL_SIZES.get(recipe.model.preset, LARGE_SIZES)
    if request.supervised is not None:
        return request.length or length, request.supervised or None
    if request.length is None:
        return length, supervised
    return request.length, fitting(supervised, request.length, config)


def _sizes_as_written(request: Request) -> tuple[int, None]:
    """The recipe's data has its own sizes. Raises RecipeError where others are asked for."""
    asked = [f"--{name}" for name in ("length", "supervised") if getattr(request, name) is not None]
    if asked:
        words = "not with --as-written, which takes the recipe's own rows; leave out one or the other"
        raise RecipeError(f"{' and '.join(asked)}: {words}")
    return 0, None


def record_of(request: Request, recipe: Recipe, limit: int | None, measured: Measured) -> Record:
    """Everything needed to run it again, the raw readings, and what is read off them."""
    device = _device()
    samples: dict[str, Any] = {
        **asdict(measured),
        "outcome": "out of memory" if measured.stopped else "ran",
        "peak_allocated": measured.peak_allocated,
        "peak_reserved": measured.peak_reserved,
        "peak_resident": measured.peak_resident,
        "tokens_per_second": measured.tokens_per_second,
    }
    configuration = {
        "request": asdict(request),
        "recipe": recipe.model_dump(mode="json"),
        "limit": limit,
        "threads": torch.get_num_threads(),
        "driver": driver(device),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }
    return Record(request.name, configuration, samples, recipe.seed, device_name(device), installed_versions(), today())


def described(done: Record) -> str:
    """The record in two or three lines."""
    found, asked = done.samples, done.configuration["recipe"]
    lines = [f"{done.name}: {found['trainable']:,} of {found['total']:,} parameters trained, on {done.device}"]
    if found["peak_allocated"] is not None:
        lines.append(
            f"peak {found['peak_allocated'] / GIB:.2f} GiB allocated, {found['peak_reserved'] / GIB:.2f} GiB reserved"
        )
    elif found["peak_resident"] is not None:
        lines.append(f"peak of the process {found['peak_resident'] / GIB:.2f} GiB resident")
    if found["readings"]:
        last = found["readings"][-1]
        lines.append(
            f"{found['tokens_per_second']:,.0f} tokens/s; loss {last['loss']:.4f} after {asked['steps']} steps"
        )
    return "\n".join([*lines, *([found["stopped"]] if found["stopped"] else [])])


def here() -> str:
    """This machine's device as part of a record's name: records of several machines lie side by side."""
    device = _device()
    return _slug(torch.cuda.get_device_name(device)) if device.type == "cuda" else "cpu"


def _device() -> torch.device:
    return own_device() if torch.cuda.is_available() else torch.device("cpu")


def _cap(as_gpu: str | None) -> int | None:
    if as_gpu is None:
        return None
    limit = card(as_gpu).budget
    cap_memory(limit, as_gpu)
    return limit


def _slug(text: str) -> str:
    """Letters, digits and single hyphens; of a setting its last field and value, of a path its last part."""
    stem = re.sub(r"\.ya?ml$", "", text).rsplit("/", 1)[-1]
    key, equals, value = stem.partition("=")
    short = f"{key.rsplit('.', 1)[-1]}-{value}" if equals else stem
    return re.sub(r"[^a-z0-9]+", "-", short.lower()).strip("-")


def command_line(request: Request) -> list[str]:
    """The request as the command line that makes it."""
    options = [part for setting in request.settings for part in ("--set", setting)]
    for name in ("length", "supervised", "as_gpu"):
        value = getattr(request, name)
        options += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    options += ["--as-written"] if request.as_written else []
    return [request.recipe, *options, "--steps", str(request.steps), "--batch", str(request.batch)]
