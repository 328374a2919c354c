"""`lora-demo ask`: a picture and a question in, an answer out."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from lora_demo.commands.complaint import complain
from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.data import images, labels, template, tokenizer
from lora_demo.data.nano_grid import ROWS
from lora_demo.data.template import IMAGE
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker
from lora_demo.models import shipped, weights
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import mgm_preset
from lora_demo.results.printing import is_text, json_text, one_line
from lora_demo.results.store import replace_by
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

    Raises AskError, and what the parts raise for a picture, a model or a tokenizer that cannot be used.
    """
    if not is_text(question):
        raise AskError("the question is not text: it holds bytes that are no UTF-8, or half of a character")
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

    Raises AskError, CheckpointError, MethodError, ConfigError or TokenizerError.
    """
    chosen = tokenizer.load(tokenizer_dir) if tokenizer_dir is not None else None
    folder = Path(model)
    if model == NANO:
        loaded, own = shipped.load_nano(), tokenizer.nano
    elif not model or not folder.is_dir():
        name = model or "--model is empty"
        raise AskError(f"{name}: no such folder; --model takes {NANO!r}, a run's folder or a checkpoint folder")
    elif (folder / results.RECIPE).is_file():
        loaded, own = results.load(folder), partial(tokenizer_of, results.recipe_of(folder).model)
    else:
        loaded = weights.load(folder, dtype=weights.stored_dtype(folder) if as_stored else torch.float32)
        own = partial(_tokenizer, folder, loaded)
    text = chosen or own()
    text.require_fits(loaded.config.llm.vocab_size)
    _require_marks(loaded, model)
    return loaded, text


@torch.no_grad()
def answer(model: MGM, text: TextTokenizer, picture: Image.Image | None, question: str) -> Answer:
    """The model's most likely answer, token by token. Raises AskError if the question leaves no room for one."""
    ids = labels.prompt_ids(template.ask(question, image=picture is not None), text)
    room = _room(model, ids)
    views = ViewMaker.for_model(model.config)(picture) if picture is not None else None
    new = model.generate(
        torch.tensor([ids]),
        images=views.small[None] if views else None,
        images_aux=views.large[None] if views else None,
        do_sample=False,
        max_new_tokens=min(LONGEST_ANSWER, room),
        eos_token_id=list(text.stop_ids),
        pad_token_id=text.pad,
    )[0].tolist()
    return Answer(text.decode(new).strip(), len(new), complete=bool(new) and new[-1] in text.stop_ids)


def _room(model: MGM, ids: list[int]) -> int:
    """Positions that the question leaves: the model would cut a longer one from behind, the place to answer first."""
    config = model.config
    longest = config.most_positions
    taken = len(ids) + ids.count(labels.IMAGE_ID) * (config.image_tokens - 1)
    if taken >= longest:
        raise AskError(
            f"the question takes {taken} positions, picture and marks included; the model has {longest}, and the "
            "answer needs some of them: shorten the question"
        )
    return longest - taken


def _require_marks(model: MGM, name: str) -> None:
    """Prompts and labels are written with fixed marks; a model that means others would answer about no picture."""
    splice = model.config.splice
    if (splice.image_token_index, splice.ignore_index) != (labels.IMAGE_ID, labels.IGNORE):
        raise AskError(
            f"{name}: splice.image_token_index and ignore_index must be {labels.IMAGE_ID} and {labels.IGNORE}, found "
            f"{splice.image_token_index} and {splice.ignore_index}; they are no weights: set them in its geometry.json"
        )


def sample(path: Path, number: int = 0) -> list[list[str]]:
    """Write a picture that nano was never trained on; returns what stands in its cells, row by row.

    Raises AskError if it cannot be written; a file that was there before is then as it was.
    """
    if path.suffix.lower() != ".png":
        raise AskError(f"{path}: the sample is a PNG; give it a name ending in .png")
    data = nano_set("test", "a", images=number + 1, questions=1)
    picture = data.picture(number)
    side = picture.width * SAMPLE_SCALE
    content = io.BytesIO()
    picture.resize((side, side), Image.Resampling.NEAREST).save(content, format="PNG")
    try:
        replace_by(path, content.getvalue())
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise AskError(f"--sample {path}: cannot be written: {reason}") from error
    cells = ["-" if digit < 0 else str(digit) for digit in data.plan.classes[number].tolist()]
    return [cells[start : start + ROWS] for start in range(0, len(cells), ROWS)]


def _tokenizer(folder: Path, model: MGM) -> TextTokenizer:
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
            _require_alone(image, question, model, tokenizer_dir)
            rows = sample(sample_to)
            said = json_text({"cells": rows}) if as_json else "\n".join(" ".join(row) for row in rows)
        else:
            found = ask(image, question, model, tokenizer_dir)
            said = json_text(asdict(found)) if as_json else "\n".join(map(one_line, found.text.splitlines()))
    except (AskError, template.TemplateError, OSError, *BAD_INPUT) as error:
        complain(error, as_json=as_json)
        return 2
    print(said)
    return 0


def _require_alone(image: Path | None, question: str, model: str, tokenizer_dir: Path | None) -> None:
    given = {"--image": image, "--question": question, "--model": model != NANO, "--tokenizer": tokenizer_dir}
    if more := [name for name, value in given.items() if value]:
        raise AskError(f"--sample only writes a picture; ask about it in a second call, with {' and '.join(more)}")
