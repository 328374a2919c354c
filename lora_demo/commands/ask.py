"""`lora-demo ask`: a picture and a question in, an answer out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image

from lora_demo.commands.train import BAD_INPUT
from lora_demo.data import images, labels, template, tokenizer
from lora_demo.data.nano_grid import ROWS
from lora_demo.data.template import IMAGE
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.models import shipped, weights
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import mgm_preset
from lora_demo.training import results
from lora_demo.training.preparation.folder_data import tokenizer_of
from lora_demo.training.preparation.prepare import nano_set

NANO = "nano"
LONGEST_ANSWER = 64
SAMPLE_SCALE = 6
"""A sample is drawn larger than nano sees it, for human eyes."""


class AskError(ValueError):
    """A question, picture or model that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and how many tokens that took; `complete` unless it was cut off."""

    text: str
    tokens: int
    complete: bool


def ask(image: Path | None, question: str, model: str = NANO, tokenizer_dir: Path | None = None) -> Answer:
    """Greedy answer of a model to a question about a picture (None: without picture).

    model  "nano", the folder of a run of `lora-demo train`, or a checkpoint folder
    """
    if image is None and IMAGE in question:
        raise AskError(f"the question contains {IMAGE} and there is no picture; give one with --image")
    if not (words := question.replace(IMAGE, "").strip()):
        raise AskError("the question is empty")
    picture = images.read(image) if image is not None else None
    loaded, text = load(model, tokenizer_dir)
    return answer(loaded, text, picture, words)


def load(model: str, tokenizer_dir: Path | None = None, *, as_stored: bool = False) -> tuple[MGM, TextTokenizer]:
    """The model and its tokenizer: the folder given, else the model's own, else nano's.

    as_stored  keep a checkpoint's own type; a run's model always has the type it was trained in
    """
    if model == NANO:
        return shipped.load_nano(), tokenizer.nano()
    folder = Path(model)
    if not folder.is_dir():
        raise AskError(f"{folder}: no such folder; --model takes {NANO!r}, a run's folder or a checkpoint folder")
    if (folder / results.RECIPE).is_file():
        loaded, home = results.load(folder), results.recipe_of(folder).model
        text = tokenizer.load(tokenizer_dir) if tokenizer_dir else tokenizer_of(home)
    else:
        loaded = weights.load(folder, dtype=weights.stored_dtype(folder) if as_stored else torch.float32)
        text = _tokenizer(folder, tokenizer_dir, loaded)
    text.require_fits(loaded.config.llm.vocab_size)
    return loaded, text


@torch.no_grad()
def answer(model: MGM, text: TextTokenizer, picture: Image.Image | None, question: str) -> Answer:
    """The model's most likely answer, token by token."""
    ids = labels.prompt_ids(template.ask(question, image=picture is not None), text)
    views = ViewMaker.for_model(model.config)(picture) if picture is not None else None
    new = model.generate(
        torch.tensor([ids]),
        images=views.small[None] if views else None,
        images_aux=views.large[None] if views else None,
        do_sample=False,
        max_new_tokens=LONGEST_ANSWER,
        eos_token_id=list(text.stop_ids),
        pad_token_id=text.pad,
    )[0].tolist()
    return Answer(text.decode(new).strip(), len(new), complete=bool(new) and new[-1] in text.stop_ids)


def sample(path: Path, number: int = 0) -> list[list[str]]:
    """Write a picture that nano was never trained on; returns what stands in its cells, row by row."""
    if path.suffix.lower() != ".png":
        raise AskError(f"{path}: the sample is a PNG; give it a name ending in .png")
    data = nano_set("test", "a", images=number + 1, questions=1)
    picture = data.picture(number)
    side = picture.width * SAMPLE_SCALE
    try:
        picture.resize((side, side), Image.Resampling.NEAREST).save(path)
    except OSError as error:
        raise AskError(f"--sample {path}: cannot be written: {error}") from error
    cells = ["-" if digit < 0 else str(digit) for digit in data.plan.classes[number].tolist()]
    return [cells[start : start + ROWS] for start in range(0, len(cells), ROWS)]


def _tokenizer(folder: Path, chosen: Path | None, model: MGM) -> TextTokenizer:
    if chosen is not None:
        return tokenizer.load(chosen)
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return tokenizer.load(folder)
    if model.config.llm.vocab_size == mgm_preset("mgm-nano").llm.vocab_size:
        return tokenizer.nano()
    raise AskError(f"{folder}: holds no tokenizer; name the folder that does with --tokenizer")


def run(
    image: Path | None, question: str, model: str, tokenizer_dir: Path | None, sample_to: Path | None, *, as_json: bool
) -> int:
    """The command: prints the answer, or what the sample shows. Exit status 0, or 2 for bad input."""
    try:
        if sample_to is not None:
            rows = sample(sample_to)
            print(json.dumps({"cells": rows}) if as_json else "\n".join(" ".join(row) for row in rows))
        else:
            found = ask(image, question, model, tokenizer_dir)
            print(json.dumps(asdict(found), ensure_ascii=False) if as_json else found.text)
    except (AskError, template.TemplateError, *BAD_INPUT) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
