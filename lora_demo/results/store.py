"""Reading and writing `qa/figures.json`: whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lora_demo.results.figure import Figure, FigureError


class BrokenStore(ValueError):
    """The file of figures cannot be read; the message says where and how to recover."""


def load(path: Path) -> dict[str, Figure]:
    """All figures by name; a missing file is an empty store, a damaged one an error."""
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_duplicates)
        if not isinstance(entries, dict):
            raise FigureError("the top level must be an object: name -> figure")
        return {name: Figure.from_json(name, entry) for name, entry in entries.items()}
    except (ValueError, RecursionError, AttributeError) as error:
        # ValueError: no JSON, no text, no figure, or a number of more digits than Python reads.
        raise BrokenStore(
            f"{path}: {error}. Nothing was changed. Recover the last committed file with "
            f"`git checkout -- {path.name}` in its folder, or delete it and run `lora-demo figures`."
        ) from error


def save(path: Path, figures: Mapping[str, Figure]) -> None:
    """Write sorted by name, atomically: a reader sees the old file or the new one."""
    entries = {name: figures[name].to_json() for name in sorted(figures)}
    write_atomically(path, json.dumps(entries, ensure_ascii=False, indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write to a neighbour, flush to disk, then rename over the target."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(neighbour).chmod(0o644)
        Path(neighbour).replace(path)
    except BaseException:
        Path(neighbour).unlink(missing_ok=True)
        raise


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            raise FigureError(f"{key!r} stands twice")
        seen[key] = value
    return seen
