"""`lora-demo figures`: write the file of figures, or check it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lora_demo.figures.known import UnknownFigure, definitions, select
from lora_demo.figures.literature import BrokenLiterature
from lora_demo.figures.registry import Definition
from lora_demo.figures.verification import Verdict, verify
from lora_demo.results.figure import Figure, FigureError
from lora_demo.results.record import RecordError
from lora_demo.results.store import BrokenStore, load, save

OK, FAILED, BAD_INPUT = 0, 1, 2
NAMED_IN_FIX = 5
BAD = (BrokenStore, BrokenLiterature, UnknownFigure, FigureError, RecordError, OSError)


def run(path: Path, names: Iterable[str], *, check: bool, as_json: bool, console: Console, errors: Console) -> int:
    """Regenerate the named figures (all without names), or verify them; returns the exit code."""
    names = list(names)
    try:
        stored = load(path)
        known = definitions()
        chosen = select(known, names)
        if check:
            return _check(verify(stored, chosen, whole=not names), path, as_json, console)
        return _regenerate(path, stored, known, chosen, as_json, console)
    except BAD as error:
        errors.print(f"error: {_explain(error, path)}", style="red", markup=False, highlight=False, soft_wrap=True)
        return BAD_INPUT


def _explain(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return f"{path} was left as it is: {error.strerror or error}; make the folder writable and run it again"
    return str(error)


def _check(verdicts: list[Verdict], path: Path, as_json: bool, console: Console) -> int:
    wrong = [verdict for verdict in verdicts if verdict.status != "fresh"]
    if as_json:
        rows = [{**asdict(verdict), "fix": verdict.fix} for verdict in verdicts]
        console.print_json(json.dumps({"checked": len(verdicts), "wrong": len(wrong), "figures": rows}))
    elif wrong:
        console.print(_table(wrong, path))
        console.print(f"fix: {_fix(wrong)}", markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(f"{len(verdicts)} figures checked, all fresh")
    return FAILED if wrong else OK


def _table(wrong: list[Verdict], path: Path) -> Table:
    table = Table(title=f"{len(wrong)} figures in {path.name} are not what they should be", title_justify="left")
    table.add_column("figure", no_wrap=True)
    for heading in ("status", "field", "in the file", "computed now"):
        table.add_column(heading, overflow="fold")
    for verdict in wrong:
        cells = (verdict.status, verdict.field, verdict.old, verdict.new)
        # A name in the file may look like markup: it is shown, not obeyed.
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in (verdict.name, *cells)))
    return table


def _fix(wrong: list[Verdict]) -> str:
    """One command for a handful of names; the plain command rewrites everything and drops what nothing registers."""
    short = len(wrong) <= NAMED_IN_FIX and all(verdict.status != "unregistered" for verdict in wrong)
    return " ".join(["lora-demo figures", *(verdict.name for verdict in wrong)]) if short else "lora-demo figures"


def _regenerate(
    path: Path,
    stored: dict[str, Figure],
    known: dict[str, Definition],
    chosen: dict[str, Definition],
    as_json: bool,
    console: Console,
) -> int:
    kept = {name: figure for name, figure in stored.items() if name in known and name not in chosen}
    fresh = {name: definition.figure() for name, definition in chosen.items()}
    changed = sorted(name for name, figure in fresh.items() if stored.get(name) != figure)
    dropped = sorted(set(stored) - set(known))
    save(path, kept | fresh)
    if as_json:
        report = {"written": len(kept) + len(fresh), "changed": changed, "dropped": dropped}
        console.print_json(json.dumps(report))
    else:
        console.print(f"{len(fresh)} figures computed, {len(changed)} changed, {len(dropped)} dropped -> {path.name}")
    return OK
