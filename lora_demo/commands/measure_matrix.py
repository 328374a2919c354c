"""`lora-demo measure --matrix`: many measurements, each in a process of its own, so that none can spoil the next.

A matrix is a YAML file: groups, each a product of recipes, lengths, batches, settings and caps. What has its record
already is left out, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import importlib.resources
import itertools
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from lora_demo.commands.measure import Request, command_line, recipe_of, record_of, require_writable
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, RecordError
from lora_demo.training.measurement.measuring import Measured
from lora_demo.training.preparation.prepare import config_of
from lora_demo.training.preparation.synthetic import sizes
from lora_demo.training.recipes.recipe_data import SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError

LIMIT = 1800
"""Seconds that one measurement may take."""
FINISHED = (0, 1)
"""Exit status of `measure` where it has written its record: it ran, or was out of memory."""
REFUSED = 2
"""Its exit status for bad input, of which nothing was measured."""


class Group(BaseModel):
    """Every combination of these; None stands for what `measure` takes when nothing is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipes: list[str]
    length: list[int | None] = [None]
    batch: list[int] = [1]
    supervised: list[int | None] = [None]
    settings: list[list[str]] = [[]]
    as_gpu: list[str | None] | None = None


class Matrix(BaseModel):
    """`as_gpu` holds for groups that do not say their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    steps: int = 3
    as_gpu: list[str | None] = [None]
    groups: dict[str, Group]


def run(name: str, *, dry: bool) -> int:
    """Walk the matrix and print what came out.

    Exit status 0 when every measurement has its record, 1 if one died or was refused, 2 bad input.
    """
    errors = Console(stderr=True)
    try:
        todo = requests(load(name))
    except RecipeError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    if dry:
        print("\n".join(f"{one.name}  lora-demo measure {shlex.join(command_line(one))}" for one in todo))
        return 0
    try:
        require_writable(records_dir())
        counts = walk(todo, lambda line: errors.print(line, highlight=False), gpu=torch.cuda.is_available())
    except (RecipeError, RecordError, OSError) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))
    return 1 if counts["died"] or counts["refused"] else 0


def load(name_or_path: str) -> Matrix:
    """A shipped matrix or a file. Raises RecipeError."""
    path = Path(name_or_path)
    shipped = importlib.resources.files("lora_demo.training.measurement").joinpath("matrices", f"{name_or_path}.yaml")
    try:
        text = path.read_text(encoding="utf-8") if path.suffix in (".yaml", ".yml") else shipped.read_text("utf-8")
        return Matrix.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise RecipeError(
            f"matrix {name_or_path}: neither shipped nor a .yaml file that can be read: {error}"
        ) from error
    except (yaml.YAMLError, ValidationError) as error:
        raise RecipeError(f"matrix {name_or_path}: {error}") from error


def requests(matrix: Matrix) -> list[Request]:
    """Every measurement once, in the order of the file.

    Raises RecipeError for a wrong recipe, or sizes that cannot be, before anything runs.
    """
    found = {request.name: request for group in matrix.groups.values() for request in _of(group, matrix)}
    for request in found.values():
        _require_possible(request)
    return list(found.values())


def _require_possible(request: Request) -> None:
    try:
        recipe = recipe_of(request)
        if isinstance(recipe.data, SyntheticData):
            sizes(recipe.data, config_of(recipe.model))
    except BAD_INPUT as error:
        line = shlex.join(command_line(request))
        raise RecipeError(f"{request.name}: {error}\nas in: lora-demo measure {line}; change its group") from error


def walk(todo: list[Request], say: Callable[[str], None], *, gpu: bool) -> dict[str, int]:
    """Run what has no record yet; returns how many ran, were out of memory, died, were refused, or were there already.

    A process that was killed has a record as well. One that ended with a message of its own has none, neither as
    died (a stopped run, an error) nor as refused (bad input): it runs again with the next call.
    gpu  False leaves out what acts out a card, which needs a GPU
    """
    counts = {"ran": 0, "out of memory": 0, "died": 0, "refused": 0, "there already": 0, "left out": 0}
    for number, request in enumerate(todo, start=1):
        outcome = _one(request, gpu)
        counts[outcome] += 1
        say(f"{number}/{len(todo)} {request.name}: {outcome}")
    return counts


def _one(request: Request, gpu: bool) -> str:
    if request.as_gpu is not None and not gpu:
        return "left out"
    path = records_dir() / f"{request.name}.json"
    if path.is_file():
        return "there already"
    status = _run(request)
    if status in FINISHED and path.is_file():
        return Record.load(path).samples["outcome"]
    if status == REFUSED:
        return "refused"
    if isinstance(status, str) or status < 0:
        _record_death(request, status)
    return "died"


def _run(request: Request) -> int | str:
    command = [sys.executable, "-m", "lora_demo", "measure", *command_line(request), "--record"]
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, timeout=LIMIT, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT} s"


def _record_death(request: Request, status: int | str) -> None:
    """A process that was killed is a result as well: most often the host's memory was used up."""
    reason = f"the process ended with status {status} and left no record; its output says why"
    record = record_of(request, recipe_of(request), None, Measured(stopped=reason))
    record.samples["outcome"] = "died"
    record.save(records_dir())


def _of(group: Group, matrix: Matrix) -> Iterator[Request]:
    caps = matrix.as_gpu if group.as_gpu is None else group.as_gpu
    product: Any = itertools.product(group.recipes, group.settings, group.length, group.batch, group.supervised, caps)
    for recipe, settings, length, batch, supervised, as_gpu in product:
        yield Request(recipe, tuple(settings), matrix.steps, length, batch, supervised, as_gpu)
