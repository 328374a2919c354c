"""How far a person is with the exercises: one small JSON file at home, never sent anywhere."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lora_demo.results.store import write_atomically

VERSION = 1


@dataclass
class Known:
    """One exercise: times judged, hints seen, and the day it was passed last ("" if never)."""

    tries: int = 0
    hints: int = 0
    passed: str = ""


@dataclass
class Progress:
    """What is known by exercise; `warning` says what happened to a file that could not be read."""

    path: Path
    exercises: dict[str, Known] = field(default_factory=dict)
    warning: str = ""

    def of(self, name: str) -> Known:
        return self.exercises.setdefault(name, Known())

    def save(self) -> None:
        """Write whole or not at all. Raises OSError."""
        content = {"version": VERSION, "exercises": {name: asdict(known) for name, known in self.exercises.items()}}
        write_atomically(self.path, json.dumps(content, indent=1) + "\n")


def place() -> Path:
    """`LORA_DEMO_HOME`, or a folder of our own in the user's home."""
    home = os.environ.get("LORA_DEMO_HOME")
    return (Path(home) if home else Path.home() / ".lora-demo") / "dojo.json"


def load(path: Path) -> Progress:
    """What the file says. One that cannot be read is put aside, not overwritten, and a new one begun."""
    if not path.is_file():
        return Progress(path)
    try:
        return Progress(path, _read(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        aside = _aside(path)
        path.replace(aside)
        return Progress(
            path, warning=f"{path} could not be read ({error}); it is kept as {aside.name}, a new one begins"
        )


def _read(content: dict) -> dict[str, Known]:
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']!r}, this program writes {VERSION}")
    found = {str(name): Known(**known) for name, known in content["exercises"].items()}
    for name, known in found.items():
        if not (isinstance(known.tries, int) and isinstance(known.hints, int) and isinstance(known.passed, str)):
            raise ValueError(f"the entry {name!r} has the wrong form")
    return found


def _aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.unreadable-{number}{path.suffix}")).exists():
        number += 1
    return aside
