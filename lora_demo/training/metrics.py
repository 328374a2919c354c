"""What a run measures, one JSON object per line, readable while the run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "metrics.jsonl"


class Metrics:
    """Appends lines to `metrics.jsonl`; every line is written at once, so a killed run leaves at most half of one."""

    def __init__(self, folder: Path, *, from_step: int) -> None:
        """Keeps the lines up to `from_step`, so that a resumed run continues one curve."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        kept = [line for line in read(folder) if line["step"] <= from_step]
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def write(self, **values: Any) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(values) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's metrics; a last line that was cut off is left out."""
    path = folder / FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines if line]
