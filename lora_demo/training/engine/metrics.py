"""What a run measures, one JSON object per line, readable while the run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lora_demo.results.store import write_atomically
from lora_demo.training.engine.stopped import TrainingStopped

FILE = "metrics.jsonl"
EVENTS = "events"


class Metrics:
    """Appends lines to `metrics.jsonl`; every line is written at once, so a killed run leaves at most half of one.

    tensorboard  write the numbers as TensorBoard events too, into the same folder
    """

    def __init__(self, folder: Path, *, from_step: int, tensorboard: bool = False) -> None:
        """Keeps what was measured up to `from_step`, so that a resumed run continues one curve."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        kept = [line for line in read(folder) if line["step"] <= from_step]
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._events = _events(folder, from_step) if tensorboard else None

    def write(self, **values: Any) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(values) + "\n")
        except OSError as error:
            # A full disk shows when the text is written out, which names no file.
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        if self._events is not None:
            for name, value in _numbers(values):
                self._events.add_scalar(name, value, values["step"])
            self._events.flush()


def read(folder: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's metrics; a last line that was cut off is left out.

    Raises TrainingStopped for a line that is no measurement.
    """
    path = folder / FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [_line(path, number, line) for number, line in enumerate(lines, 1) if line]


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if isinstance(found["step"], int):
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise TrainingStopped(f"{path}: line {number} is none of ours; remove that line, or start anew with --overwrite")


def last(folder: Path, name: str) -> Any:
    """The newest value of that name in a run's metrics; None if there is none."""
    return next((line[name] for line in reversed(read(folder)) if name in line), None)


def at(folder: Path, step: int | None, name: str) -> Any:
    """The newest value of that name at one step; None if there is none."""
    return next((line[name] for line in reversed(read(folder)) if name in line and line["step"] == step), None)


def _events(folder: Path, from_step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / EVENTS), purge_step=from_step + 1)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number in it, by its path; the step is the axis, not a curve."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and (prefix or name != "step"):
            yield prefix + name, float(value)
