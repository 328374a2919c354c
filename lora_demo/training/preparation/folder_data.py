"""A run's own data, looked at before any weight is read: what would stop the run in an hour stops it now.

Every item and every picture's header is read; the pictures that this process will load are decoded to the end, and
their conversations tokenised, since a cut-off file or a lost answer shows in nothing less.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from lora_demo.data import tokenizer
from lora_demo.data.check import LengthLimit, require_clean
from lora_demo.data.items import DataError
from lora_demo.data.tokenizer import TextTokenizer, TokenizerError
from lora_demo.models.config import MGMConfig
from lora_demo.training.engine.order import Order, share
from lora_demo.training.recipes.recipe import ModelPart, Recipe
from lora_demo.training.recipes.recipe_data import FolderData

TELLING = 1_000_000
"""Bytes of a data file from which looking through it takes long enough to say so."""


@dataclass(frozen=True)
class Share:
    """The rows that process `rank` of `processes` will load in all steps of a run."""

    batch: int
    steps: int
    seed: int
    rank: int
    processes: int

    def __call__(self, size: int) -> Collection[int]:
        order, found = Order(size, self.batch, self.seed), set[int]()
        for step in range(self.steps):
            found.update(share(order.indices(step), self.rank, self.processes))
            if len(found) == size:
                break
        return found


@dataclass(frozen=True)
class First:
    """The first rows of a file: those that evaluation asks."""

    rows: int | None

    def __call__(self, size: int) -> Collection[int]:
        return range(size if self.rows is None else min(size, self.rows))


def tokenizer_of(part: ModelPart) -> TextTokenizer:
    """The recipe's tokenizer: its own folder, the weights' folder, or nano's."""
    folder = _tokenizer_folder(part)
    return tokenizer.nano() if folder is None else tokenizer.load(folder)


def _tokenizer_folder(part: ModelPart) -> str | None:
    """None stands for nano's own."""
    if part.tokenizer is not None:
        return part.tokenizer
    if part.preset == "mgm-nano":
        return None
    if part.weights == "random":
        raise TokenizerError("random weights bring no tokenizer; name its folder in model.tokenizer")
    return part.weights


def check_folder(
    recipe: Recipe,
    data: FolderData,
    config: MGMConfig,
    *,
    rank: int = 0,
    processes: int = 1,
    say: Callable[[str], object] = lambda line: None,
) -> None:
    """Tokenizer, vocabulary, items, pictures, lengths. Raises what is wrong; says what will be cut; reads no weight."""
    text = tokenizer_of(recipe.model)
    text.require_fits(config.llm.vocab_size)
    if not Path(data.images).is_dir():
        raise DataError(f"data.images {data.images}: no such folder; name yours, e.g. --set data.images=FOLDER")
    lengths = LengthLimit(text, config.image_tokens, config.most_positions)
    own = Share(recipe.batch, recipe.steps, recipe.seed, rank, processes)
    _check_file(Path(data.file), Path(data.images), own, lengths, say)
    if data.evaluation_file is not None:
        first = First(recipe.evaluation.rows)
        _check_file(Path(data.evaluation_file), Path(data.images), first, lengths, say)


def _check_file(
    file: Path, images: Path, rows: Share | First, lengths: LengthLimit, say: Callable[[str], object]
) -> None:
    if not file.is_file():
        raise DataError(f"data file {file}: not there; name yours, e.g. --set data.file=FILE")
    if file.stat().st_size > TELLING:
        say(f"looking through {file} and its pictures before anything is loaded")
    report = require_clean(file, images, lengths=lengths, rows=rows)
    cut = [problem for problem in report.problems if problem.kind == "too-long"]
    if cut:
        say(f"{file}: {len(cut)} of the conversations in use are too long and will be cut, the first: {cut[0]}")
