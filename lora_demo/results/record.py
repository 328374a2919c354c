"""A record: what a run was, on what, and everything it measured, so that a figure can be derived again from it."""

from __future__ import annotations

import datetime
import json
import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from lora_demo.results.json_file import NoObject, read_object
from lora_demo.results.store import write_atomically

MEASURED_WITH = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "numpy")


READ_AS = {"name": str, "configuration": dict, "samples": dict, "device": str, "versions": dict}


class RecordError(ValueError):
    """A record that cannot be read; the message names the file and the field."""


@dataclass(frozen=True)
class Record:
    """One run. `samples` holds the raw readings by name; `configuration` all that is needed to run it again."""

    name: str
    configuration: dict[str, Any]
    samples: dict[str, Any]
    seed: int | None
    device: str
    versions: dict[str, str]
    date: str
    notes: dict[str, str] = field(default_factory=dict)

    def save(self, directory: Path) -> Path:
        path = directory / f"{self.name}.json"
        write_atomically(path, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Record:
        try:
            content = read_object(path)
        except NoObject as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise RecordError(f"{path}: not a record: {reason}") from error
        for name, kind in READ_AS.items():
            if name in content and not isinstance(content[name], kind):
                raise RecordError(f"{path}: not a record: {name} is no {kind.__name__}")
        try:
            return cls(**content)
        except TypeError as error:
            raise RecordError(f"{path}: not a record: {error}") from error


def installed_versions() -> dict[str, str]:
    """Python and those of the measuring libraries that are installed."""
    found = {"python": platform.python_version()}
    for package in MEASURED_WITH:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
