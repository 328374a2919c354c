"""What mgm-nano can do, measured on pictures that nothing was trained on: the numbers behind "nano sees"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_demo.data.nano_grid import Family
from lora_demo.models import fingerprint, shipped
from lora_demo.models.mgm import MGM
from lora_demo.results.json_file import read_object
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.training.engine import metrics
from lora_demo.training.evaluation import Blinded, evaluate
from lora_demo.training.preparation.prepare import nano_set
from lora_demo.training.preparation.sources import SeenSource, seen
from lora_demo.training.recipes import recipe_files
from lora_demo.training.results import SUMMARY
from lora_demo.training.run import run

TEST_IMAGES = 400
TEST_QUESTIONS = 5
FINE_TUNING = ("nano-lora-b-long", "nano-full-b-long", "nano-lora", "nano-full")
BASE = ("nano-towers", "nano-pretrain")


def held_out(family: Family, model: MGM, *, images: int | None = None) -> SeenSource:
    """The fixed test questions of a family, each asked on its own; on TEST_IMAGES pictures if not said otherwise."""
    return seen(nano_set("test", family, images=images or TEST_IMAGES, questions=TEST_QUESTIONS, rounds=1), model)


def accuracies(model: MGM, source: SeenSource, blind: Blinded = "nothing") -> dict[str, Any]:
    """Share of right answers, overall and by question kind."""
    return evaluate(model, source, blind=blind, forward={"supervised_only": True}).to_json()


def majority(source: SeenSource) -> float:
    """Share that is right if every question kind always gets the answer that is most frequent in this very set."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for index in range(len(source)):
        (question,) = source.data.asked(index)
        answers[question.kind][question.answer] += 1
    return sum(max(counter.values()) for counter in answers.values()) / len(source)


def base_samples(images: int = TEST_IMAGES) -> dict[str, Any]:
    """The shipped base: both families, the picture blanked, the high-resolution view zeroed."""
    model = shipped.load_nano()
    a, b = (held_out(family, model, images=images) for family in ("a", "b"))
    return {
        "a": accuracies(model, a),
        "a_blank": accuracies(model, a, "both"),
        "a_aux_zeroed": accuracies(model, a, "aux"),
        "a_majority": majority(a),
        "b": accuracies(model, b),
        "b_majority": majority(b),
    }


def fine_tuning_samples(name: str, folder: Path) -> dict[str, Any]:
    """A fine-tuning recipe from the shipped base: both families afterwards, what it cost, its loss curve."""
    finished = run(recipe_files.load(name), folder, overwrite=True)
    model = finished.model.eval()
    after = {family: accuracies(model, held_out(family, model)) for family in ("a", "b")}
    cost = {key: finished.summary()[key] for key in ("trainable", "total", "seconds", "cpu_seconds", "steps")}
    return {**after, **cost, "loss_curve": curve(folder)}


def curve(folder: Path) -> list[float]:
    """The loss of every step of a run."""
    return [round(line["loss"], 5) for line in metrics.read(folder) if "loss" in line]


def base_record(run_folder: Path) -> Record:
    """The shipped base's record; `run_folder` is where `lora-demo train nano-pretrain` ran.

    Raises NoObject where it did not, before anything is measured.
    """
    cost = {name: _summary(folder) for name, folder in zip(BASE, (run_folder / BASE[0], run_folder), strict=True)}
    samples = base_samples() | {
        "loss_curve": curve(run_folder),
        "tower_loss_curve": curve(run_folder / BASE[0]),
        "validation": [line for line in metrics.read(run_folder) if "evaluation" in line],
        "cost": cost,
    }
    return _record("nano-base", BASE, samples)


def fine_tuning_record(folder: Path, names: Sequence[str] = FINE_TUNING) -> Record:
    """Every nano fine-tuning recipe, run anew from the shipped base."""
    return _record("nano-fine-tuning", names, {name: fine_tuning_samples(name, folder / name) for name in names})


def _summary(folder: Path) -> dict[str, Any]:
    return read_object(folder / SUMMARY) | {"result": ""}


def _record(name: str, recipes: Sequence[str], samples: dict[str, Any]) -> Record:
    configuration: dict[str, Any] = {recipe: recipe_files.load(recipe).model_dump(mode="json") for recipe in recipes}
    configuration["test"] = {"images": TEST_IMAGES, "questions": TEST_QUESTIONS, "seed": 0}
    configuration["base"] = fingerprint.of(shipped.load_nano())
    return Record(
        name=name,
        configuration=configuration,
        samples=samples,
        seed=recipe_files.load(recipes[-1]).seed,
        device="cpu",
        versions=installed_versions(),
        date=today(),
    )
