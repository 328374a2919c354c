"""`lora-demo predict`: a prediction on paper, as a table or as JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from lora_demo.memory.cards import UnknownCard, card
from lora_demo.memory.predict import LOOPS, Prediction, Setting, predict
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.quantised_base import BASES
from lora_demo.memory.subjects.subject import SubjectError
from lora_demo.memory.tracing.optimizer_choice import OPTIMIZERS
from lora_demo.memory.tracing.published_lengths import BATCH, LONGEST
from lora_demo.methods.errors import MethodError
from lora_demo.models.presets import longest_row
from lora_demo.results.units import GIB

DEFAULT_LENGTH = 1024


def run(setting: Setting, *, as_json: bool) -> int:
    """Predict and print; 2 for bad input."""
    errors = Console(stderr=True)
    try:
        for option, name in {"model": setting.model, "peft": setting.method}.items():
            if not name:
                raise SubjectError(f"--{option} is empty: see `lora-demo predict --help` for what there is")
        _need("loop", setting.loop, LOOPS)
        _need("base", setting.base, BASES)
        _need("optimizer", setting.optimizer, OPTIMIZERS)
        prediction = predict(setting)
    except (BuildError, UnknownCard, SubjectError, MethodError) as error:
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    if as_json:
        print(json.dumps(prediction.to_json(), indent=1))
    else:
        show(prediction, Console())
    return 0


def sizes(model: str, loop: str, batch: int | None, length: int | None) -> tuple[int, int]:
    """(rows, positions per row): those given, else one row of the usual length.

    The published loop has sizes of its own; others given with it are refused by the prediction.
    """
    rows, usual = (BATCH, LONGEST) if loop == "published" else (1, usual_length(model))
    return rows if batch is None else batch, usual if length is None else length


def usual_length(model: str) -> int:
    """DEFAULT_LENGTH, or what the model takes if that is less."""
    return min(DEFAULT_LENGTH, longest_row(model) or DEFAULT_LENGTH)


def _need(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SubjectError(f"--{name} {value}: choose one of {', '.join(allowed)}")


def show(prediction: Prediction, console: Console) -> None:
    """Parts at the allocated peak, the reserved peak, and whether it fits the card."""
    setting = prediction.setting
    # As a line of its own: a table's title is read as markup, and broken inside paths.
    title = f"{setting.model} · {setting.method} · loop {setting.loop} · AdamW {setting.optimizer}"
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    table = Table()
    table.add_column("at the allocated peak")
    table.add_column("GiB", justify="right")
    for kind, size in prediction.parts.items():
        table.add_row(kind.replace("_", ", "), f"{size / GIB:.3f}")
    table.add_section()
    table.add_row("peak allocated", f"{prediction.peak_allocated / GIB:.3f}")
    table.add_row("peak reserved", f"{prediction.peak_reserved / GIB:.3f}")
    table.add_row("as the driver shows it", f"{prediction.driver / GIB:.3f}")
    console.print(table)
    console.print(verdict(prediction), soft_wrap=True)


def verdict(prediction: Prediction) -> str:
    """One sentence: does it fit, and with how much room."""
    device = card(prediction.setting.gpu)
    room = device.budget - prediction.peak_reserved
    state = f"fits with {room / GIB:.2f} GiB to spare" if room >= 0 else f"is {-room / GIB:.2f} GiB too large"
    basis = "read off such a card" if device.read else "estimated from its nominal size"
    return f"On {device.name} (budget {device.budget / GIB:.2f} GiB, {basis}) this {state}."
