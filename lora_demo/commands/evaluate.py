"""`lora-demo evaluate`: how many answers of a file a model gets exactly right; the same before and after a run."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lora_demo.commands.ask import AskError, load
from lora_demo.commands.complaint import complain
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.data.check import LengthLimit, require_clean
from lora_demo.data.dataset import ConversationData
from lora_demo.data.items import DataError
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.models.config import MGMConfig
from lora_demo.results.json_file import NoObject, read_object
from lora_demo.results.printing import json_text, one_line
from lora_demo.training.engine.stopped import OutOfMemory, TrainingStopped, out_of_memory_named
from lora_demo.training.evaluation import evaluate
from lora_demo.training.preparation.folder_data import First
from lora_demo.training.preparation.sources import FolderSource

FORWARD = {"supervised_only": True}
NO_BASELINE = "not an evaluation printed with --json"


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
    try:
        before = None if asked.baseline is None else read(asked.baseline)
        found = measure(asked)
    except (AskError, OSError, *BAD_INPUT) as error:
        complain(error, as_json=as_json)
        return 2
    except OutOfMemory as error:
        complain(TrainingStopped(f"{error}; lower --batch"), as_json=as_json)
        return 1
    if not as_json:
        print(described(found, before))
    else:
        earlier = {} if before is None else {"before": {**before, "compares": comparable(found, before)}}
        print(json_text({**found, **earlier}, indent=1))
    return 0


def measure(asked: Question) -> dict[str, Any]:
    """The evaluation as plain values, with what was evaluated and how many of its rows the model's length cuts.

    Raises DataError, and what `ask.load` raises.
    """
    if not asked.images.is_dir():
        raise DataError(f"--images {asked.images}: no such folder")
    if not asked.file.is_file():
        raise DataError(f"{asked.file}: no such file")
    require_clean(asked.file, asked.images, rows=First(asked.rows))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with out_of_memory_named(lambda: "evaluation"):
        model, text = load(asked.model, asked.tokenizer, as_stored=True)
        model = model.to(device)
        cut = _cut(asked, model.config, text)
        views, longest = ViewMaker.for_model(model.config), model.config.splice.max_length
        source = FolderSource(ConversationData(asked.file, asked.images, text, views, longest))
        found = evaluate(model, source, rows=asked.rows, batch=asked.batch, forward=FORWARD)
    if not math.isfinite(found.loss):
        raise AskError(
            f"{asked.model}: the loss is {found.loss}, so the model computes no numbers and answers nothing; take an "
            "earlier state of it, or store it in bfloat16 or float32"
        )
    return {"file": str(asked.file), "model": asked.model, **found.to_json(), "cut": cut}


def _cut(asked: Question, config: MGMConfig, text: TextTokenizer) -> int:
    """How many rows are judged in part; said on stderr.

    An answer that is cut away altogether would count as right, since nothing in it could be wrong: DataError.
    """
    longest = config.most_positions
    lengths = LengthLimit(text, config.image_tokens, longest)
    report = require_clean(asked.file, asked.images, decode=False, lengths=lengths, rows=First(asked.rows))
    found = [problem for problem in report.problems if problem.kind == "too-long"]
    if not found or config.splice.max_length is None:
        return 0
    rows = len(First(asked.rows)(report.items))
    print(
        f"{len(found)} of {rows} conversations are longer than the model's {longest} positions and are cut there: an "
        f"answer counts as exactly right if what is left of it is; the first: {found[0]}",
        file=sys.stderr,
    )
    return len(found)


def described(found: dict[str, Any], before: dict[str, Any] | None) -> str:
    """In words; against the earlier evaluation if there is one."""
    lines = [
        f"exactly right: {found['accuracy']:.1%} of {found['rows']} answers; "
        f"loss per supervised token {found['loss']:.4f}"
    ]
    if before is not None:
        lines.append(f"before: {before['accuracy']:.1%} of {before['rows']}; loss {before['loss']:.4f}")
        if not comparable(found, before):
            lines.append(f"these do not compare: before, {before['rows']} rows of {before['file']} were asked")
    return "\n".join(map(one_line, lines))


def comparable(found: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether both evaluations asked the same rows of the same file."""
    return (before["file"], before["rows"]) == (found["file"], found["rows"])


def read(path: Path) -> dict[str, Any]:
    """File, rows, loss and accuracy of an evaluation printed with --json. Raises DataError."""
    try:
        raw = read_object(path)
        found = {key: raw[key] for key in ("file", "rows", "loss", "accuracy")}
    except KeyError as error:
        raise DataError(f"--baseline {path}: {NO_BASELINE}: it has no {error}") from error
    except NoObject as error:
        raise DataError(f"--baseline {path}: {NO_BASELINE}: {error}") from error
    for key, wanted, fits in (
        ("file", "a text", lambda value: isinstance(value, str)),
        ("rows", "a whole number from 1", lambda value: type(value) is int and value >= 1),
        ("loss", "a finite number from 0", lambda value: _number(value) and 0 <= value < math.inf),
        ("accuracy", "a number from 0 to 1", lambda value: _number(value) and 0 <= value <= 1),
    ):
        if not fits(found[key]):
            raise DataError(f"--baseline {path}: {NO_BASELINE}: {key} must be {wanted}, found {found[key]!r}")
    return found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
