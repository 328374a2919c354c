"""`lora-demo plan`: which configurations fit a card, ranked, with the reason."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from lora_demo.commands.predict import usual_length
from lora_demo.commands.report_console import report_console
from lora_demo.memory.cards import Card, UnknownCard, card
from lora_demo.memory.formula.closed_form import OutOfForm, Request
from lora_demo.memory.formula.decoder_config import decoder
from lora_demo.memory.plan import Proposal, proposals
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.subject import SubjectError
from lora_demo.models.presets import longest_row
from lora_demo.results.units import GIB


def run(model: str, gpu: str, length: int | None, supervised: int, *, trace: bool, as_json: bool) -> int:
    """Propose and print; 1 when nothing fits, 2 for bad input. No length: the usual one of the model."""
    try:
        device = card(gpu)
        dimensions, longest = decoder(model), longest_row(model)
        length = usual_length(model) if length is None else length
        _check_length(length, supervised, dimensions.image.get("positions", 0))
        if longest is not None and length > longest:
            raise BuildError(f"--seq {length}: {model} cuts rows at {longest} positions; use at most {longest}")
        found = proposals(dimensions, device, length, supervised, longest)
        traced = _traced(model, found[0].request, gpu) if trace and found[0].fits else None
    except (BuildError, UnknownCard, OutOfForm, SubjectError) as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    if as_json:
        print(json.dumps(_json(found, device, traced), indent=1))
    else:
        _show(found, device, traced, f"{model} · {length} positions")
    return 0 if found[0].fits else 1


def _check_length(length: int, supervised: int, picture: int) -> None:
    if length <= supervised:
        raise BuildError(f"--seq {length} must be longer than --supervised {supervised}")
    if picture and length <= picture + supervised:
        raise BuildError(
            f"--seq {length} counts the picture's {picture} positions too: with --supervised {supervised} use at least "
            f"{picture + supervised + 1}"
        )


def reason(one: Proposal, device: Card) -> str:
    """One sentence: what was needed to fit, or what is missing."""
    if not one.fits:
        return f"even with {', '.join(one.savers)} it lacks {(one.needs - device.budget) / GIB:.1f} GiB"
    room = (device.budget - one.needs) / GIB
    return f"{'with ' + ', '.join(one.savers) if one.savers else 'as it is'}; {room:.1f} GiB to spare at batch 1"


def _traced(model: str, request: Request, gpu: str) -> int | None:
    """Reserved bytes of the first proposal by the trace; None where the trace has no such setting."""
    from pathlib import Path

    from lora_demo.memory.formula.closed_form_check import setting_of
    from lora_demo.memory.predict import predict
    from lora_demo.models.presets import PRESETS

    if not (model in PRESETS or Path(model).is_dir()):
        return None
    return predict(setting_of(model, request)).peak_reserved


def _json(found: list[Proposal], device: Card, traced: int | None) -> dict[str, Any]:
    rows = [{**asdict(one), "fits": one.fits, "reason": reason(one, device)} for one in found]
    return {"gpu": device.name, "budget": device.budget, "first_traced": traced, "proposals": rows}


def _show(found: list[Proposal], device: Card, traced: int | None, title: str) -> None:
    console = report_console()
    # As a line of its own: a table's title is read as markup, and broken inside paths.
    title = f"{title} · {device.name}, {device.budget / GIB:.2f} GiB for the process"
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    table = Table()
    for head in ("method", "needs, GiB", "rows", "positions", "reason"):
        table.add_column(head, justify="right" if head in ("needs, GiB", "rows", "positions") else "left")
    for one in found:
        rows, positions = (str(one.batch), str(one.length)) if one.fits else ("-", "-")
        table.add_row(one.method, f"{one.needs / GIB:.2f}", rows, positions, reason(one, device))
    console.print(table)
    words = "rows: largest batch at this length; positions: largest length at batch 1, as far as the model takes them."
    console.print(words, soft_wrap=True)
    if traced is not None:
        console.print(f"The first proposal, traced: {traced / GIB:.2f} GiB reserved.", soft_wrap=True)
