"""`lora-demo evaluate`: how many answers of a file a model gets exactly right; the same before and after a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lora_demo.commands.ask import AskError, load
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.data.check import LengthLimit, require_clean
from lora_demo.data.dataset import ConversationData
from lora_demo.data.items import DataError
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.models.config import MGMConfig
from lora_demo.training.engine.stopped import OutOfMemory, out_of_memory_named
from lora_demo.training.evaluation import Evaluation, evaluate
from lora_demo.training.preparation.folder_data import First
from lora_demo.training.preparation.sources import FolderSource

FORWARD = {"supervised_only": True}


@dataclass(frozen=True)
class Question:
    """What is evaluated: a model (nano, a run's folder, a checkpoint folder) on the first `rows` items of a file.

    baseline  an evaluation that this command printed as JSON before, to compare with
    """

    file: Path
    images: Path
    model: str
    tokenizer: Path | None = None
    rows: int | None = None
    batch: int = 1
    baseline: Path | None = None


def start(asked: Question, *, as_json: bool) -> int:
    """Evaluate and print. Exit status 0 done, 1 out of memory, 2 bad input."""
    errors = Console(stderr=True)
    try:
        before = None if asked.baseline is None else read(asked.baseline)
        found = measure(asked)
    except (AskError, *BAD_INPUT) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except OutOfMemory as error:
        errors.print(f"{error}; lower --batch", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else described(found, before))
    return 0


def measure(asked: Question) -> dict[str, Any]:
    """The evaluation as plain values, with what was evaluated."""
    if not asked.images.is_dir():
        raise DataError(f"--images {asked.images}: no such folder")
    if not asked.file.is_file():
        raise DataError(f"{asked.file}: no such file")
    require_clean(asked.file, asked.images, rows=First(asked.rows))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with out_of_memory_named(lambda: "evaluation"):
        model, text = load(asked.model, asked.tokenizer, as_stored=True)
        model = model.to(device)
        _require_answers(asked, model.config, text)
        views, longest = ViewMaker.for_model(model.config), model.config.splice.max_length
        source = FolderSource(ConversationData(asked.file, asked.images, text, views, longest))
        found = evaluate(model, source, rows=asked.rows, batch=asked.batch, forward=FORWARD)
    return {"file": str(asked.file), "model": asked.model, **found.to_json()}


def _require_answers(asked: Question, config: MGMConfig, text: TextTokenizer) -> None:
    """An answer that the model's length cuts away would count as right: nothing in it could be wrong."""
    longest = config.splice.max_length or config.llm.max_position_embeddings
    lengths = LengthLimit(text, config.image_tokens, longest)
    require_clean(asked.file, asked.images, decode=False, lengths=lengths, rows=First(asked.rows))


def described(found: dict[str, Any], before: dict[str, Any] | None) -> str:
    """In words; against the earlier evaluation if there is one."""
    lines = [
        f"exactly right: {found['accuracy']:.1%} of {found['rows']} answers; "
        f"loss per supervised token {found['loss']:.4f}"
    ]
    if before is not None:
        lines.append(f"before: {before['accuracy']:.1%} of {before['rows']}; loss {before['loss']:.4f}")
        if (before["file"], before["rows"]) != (found["file"], found["rows"]):
            lines.append(f"these do not compare: before, {before['rows']} rows of {before['file']} were asked")
    return "\n".join(lines)


def read(path: Path) -> dict[str, Any]:
    """An evaluation printed with --json. Raises DataError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        Evaluation(raw["loss"], raw["accuracy"], raw["by_group"], raw["rows"])
        return {"file": raw["file"], "rows": int(raw["rows"]), **{key: float(raw[key]) for key in ("loss", "accuracy")}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"--baseline {path}: not an evaluation printed with --json: {error}") from error
