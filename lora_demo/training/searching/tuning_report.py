"""What a study found: the Pareto front of quality against memory, every trial, and how to train a winner anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from lora_demo.results.store import write_atomically
from lora_demo.results.units import MIB
from lora_demo.training.searching.search import Search, spoken
from lora_demo.training.searching.tuning import all_trials

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
HEADS = ("trial", "what", "learning rate", "quality", "memory, MiB", "trainable", "seconds", "state")


@dataclass(frozen=True)
class Row:
    """One trial. `quality` is the best of its evaluations, of those it came to if it was stopped."""

    number: int
    state: str
    what: str
    lr: float | None
    quality: float | None
    memory: int | None
    trainable: int | None
    seconds: float | None
    reason: str
    command: str


def report(study: optuna.Study, search: Search, settings: Sequence[str] = ()) -> dict[str, Any]:
    """The study as plain values; `front` lists the trials' numbers, from the smallest memory to the largest."""
    rows = [_row(trial, search, settings) for trial in all_trials(study)]
    return {
        "study": study.study_name,
        "search": search.model_dump(mode="json"),
        "quality": "share of right answers" if search.quality == "accuracy" else "minus the loss per token",
        "front": [row.number for row in front(rows)],
        "trials": [asdict(row) for row in rows],
    }


def front(rows: Sequence[Row]) -> list[Row]:
    """Finished trials that no other beats: better in quality with no more memory, or smaller with no less quality."""
    best, kept = float("-inf"), []
    for row in sorted((row for row in rows if row.state == "done"), key=lambda row: (row.memory, -_quality(row))):
        if _quality(row) > best:
            best = _quality(row)
            kept.append(row)
    return kept


def markdown(found: dict[str, Any]) -> str:
    """The report for reading."""
    rows = {row["number"]: Row(**row) for row in found["trials"]}
    winners = [rows[number] for number in found["front"]]
    rest = sorted((row for row in rows.values() if row not in winners), key=lambda row: row.number)
    commands = [f"    {row.command}" for row in winners]
    lines = [
        f"# {found['study']}",
        "",
        found["search"]["about"],
        f"Quality: {found['quality']}, on the validation rows, at a trial's best evaluation.",
        f"Memory: {_memory_meaning(found['search']['memory'])}.",
        "",
        "## Pareto front",
        "",
        *table(winners),
        "",
        "Quality was chosen on these validation rows, so it flatters; measure the one you take on rows of its own.",
        "Each line trains one of them anew:",
        "",
        *commands,
        "",
        "## All other trials",
        "",
        *table(rest),
    ]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown lines of a table."""
    lines = [_line(HEADS), _line("---" for _ in HEADS)]
    return [*lines, *(_line(cells(row)) for row in rows)]


def cells(row: Row) -> list[str]:
    """One row's texts, under HEADS."""
    state = f"{row.state}: {row.reason}" if row.reason else row.state
    return [
        str(row.number),
        row.what,
        "" if row.lr is None else f"{row.lr:.2g}",
        "" if row.quality is None else f"{row.quality:.3f}",
        "" if row.memory is None else f"{row.memory / MIB:.1f}",
        "" if row.trainable is None else f"{row.trainable:,}",
        "" if row.seconds is None else f"{row.seconds:.0f}",
        state,
    ]


def write(found: dict[str, Any], folder: Path) -> list[Path]:
    """`report.json` and `report.md` into the folder."""
    files = {"report.json": json.dumps(found, indent=1, ensure_ascii=False) + "\n", "report.md": markdown(found)}
    for name, text in files.items():
        write_atomically(folder / name, text)
    return [folder / name for name in files]


def _row(trial: FrozenTrial, search: Search, settings: Sequence[str]) -> Row:
    attrs = trial.user_attrs
    known = "method" in attrs
    what = spoken(attrs["method"], attrs["settings"]) if known else ""
    return Row(
        number=trial.number,
        state=STATES[trial.state],
        what=what,
        lr=attrs.get("lr"),
        quality=max(attrs["curve"].values()) if attrs.get("curve") else None,
        memory=attrs.get("memory"),
        trainable=attrs.get("trainable"),
        seconds=attrs.get("seconds"),
        reason=attrs.get("reason", ""),
        command=_command(attrs, search, settings) if known else "",
    )


def _command(attrs: dict[str, Any], search: Search, settings: Sequence[str]) -> str:
    """The `train` command of a trial; a part of another method starts afresh, so its name comes with its settings."""
    method = json.dumps({"name": attrs["method"], **attrs["settings"]})
    changes = [*search.settings, *settings, f"method={method}", f"optimizer.lr={attrs['lr']!r}"]
    changes += [f"evaluation.every={search.every}"]
    return " ".join(["lora-demo train", search.recipe, *(f"--set '{change}'" for change in changes)])


def _quality(row: Row) -> float:
    return float("-inf") if row.quality is None else row.quality


def _memory_meaning(memory: dict[str, Any]) -> str:
    answer = f", {memory['supervised']} of them supervised" if memory["supervised"] else ""
    return f"predicted peak of a training step with {memory['rows']} rows of {memory['length']} positions{answer}"


def _line(texts: Any) -> str:
    return f"| {' | '.join(texts)} |"
