"""How far a person is with the exercises: one small JSON file at home, never sent anywhere."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lora_demo.results.json_file import read_object
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
    """What is known by exercise; `warning` says what happened to a file that could not be read.

    kept    whether it is saved; not where that would overwrite a file that could not be read
    """

    path: Path
    exercises: dict[str, Known] = field(default_factory=dict)
    warning: str = ""
    kept: bool = True

    def of(self, name: str) -> Known:
        return self.exercises.setdefault(name, Known())

    def save(self) -> None:
        """Write whole or not at all. Raises OSError."""
        if not self.kept:
            return
        content = {"version": VERSION, "exercises": {name: asdict(known) for name, known in self.exercises.items()}}
        write_atomically(self.path, json.dumps(content, indent=1) + "\n")


def place() -> Path:
    """`LORA_DEMO_HOME`, or a folder of our own in the user's home."""
    home = os.environ.get("LORA_DEMO_HOME")
    return (Path(home) if home else Path.home() / ".lora-demo") / "dojo.json"


def load(path: Path) -> Progress:
    """What the file says. One that cannot be read is put aside, not overwritten, and a new one begun."""
    try:
        if not path.is_file():
            return Progress(path)
        return Progress(path, _read(read_object(path)))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).removeprefix(f"{path}: ")
    try:
        aside = _aside(path)
        path.replace(aside)
    except OSError as error:
        where = f"nor put aside ({error.strerror or error}), so nothing is kept; LORA_DEMO_HOME names another folder"
        return Progress(path, warning=f"{path} could not be read ({reason}), {where}", kept=False)
    return Progress(path, warning=f"{path} could not be read ({reason}); it is kept as {aside.name}, a new one begins")


def _read(content: dict) -> dict[str, Known]:
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']!r}, this program writes {VERSION}")
    found = {str(name): Known(**known) for name, known in content["exercises"].items()}
    for name, known in found.items():
        if not (_is_count(known.tries) and _is_count(known.hints) and _is_day(known.passed)):
            raise ValueError(f"the entry {name!r} has the wrong form")
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_day(value: object) -> bool:
    """Never ("") or a date as we write it: those are compared as texts."""
    if not isinstance(value, str):
        return False
    try:
        return not value or datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.unreadable-{number}{path.suffix}")).exists():
        number += 1
    return aside
