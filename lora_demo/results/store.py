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
    if not os.path.lexists(path):
        return {}
    try:
        entries = json.loads(_text(path), object_pairs_hook=_refuse_duplicates)
        if not isinstance(entries, dict):
            raise FigureError("the top level must be an object: name -> figure")
        return {name: Figure.from_json(name, entry) for name, entry in entries.items()}
    except (ValueError, RecursionError, OSError) as error:
        # ValueError: no JSON, no text, no figure, or a number of more digits than Python reads.
        what = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        raise BrokenStore(
            f"{path}: {what}. Nothing was changed. Recover the last committed file with "
            f"`git checkout -- {path.name}` in its folder, or delete it and run `lora-demo figures`."
        ) from error


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        # A pipe would wait for somebody to write, a device never ends.
        raise FigureError("a folder, a pipe or a device, where a file belongs")
    return path.read_text(encoding="utf-8")


def save(path: Path, figures: Mapping[str, Figure]) -> None:
    """Write sorted by name, atomically: a reader sees the old file or the new one."""
    entries = {name: figures[name].to_json() for name in sorted(figures)}
    write_atomically(path, json.dumps(entries, ensure_ascii=False, indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write to a neighbour, flush to disk, then rename over the target; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_by(path, text.encode("utf-8"))


def replace_by(path: Path, content: bytes) -> None:
    """The same for a file of any kind in a folder that is there. Raises OSError, with the target as it was."""
    handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(neighbour).chmod(0o644)
        Path(neighbour).replace(path)
    except BaseException:
        Path(neighbour).unlink(missing_ok=True)
        raise


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all. Raises FileExistsError, or another OSError."""
    # A rename would put itself over a file that somebody makes meanwhile; to create it first is what excludes that.
    stream = path.open("x", encoding="utf-8")
    try:
        with stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            raise FigureError(f"{key!r} stands twice")
        seen[key] = value
    return seen
