"""Searches from YAML: by name or path; mistakes are named with their place."""

from __future__ import annotations

import difflib
import importlib.resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lora_demo.training.searching.search import PerRank, Range, Search, SearchError

RANGES = ("lr", "alpha", "dropout")
"""Settings that any number serves; others take whole numbers or names, and those are listed one by one."""


def load(name_or_path: str) -> Search:
    """The shipped search of that name, or the one at that path. Raises SearchError."""
    where, text = _read(name_or_path)
    try:
        raw = yaml.safe_load(text)
        if not isinstance(raw, dict):
            raise SearchError(f"search {where}: must hold fields, found {type(raw).__name__}")
        return Search.model_validate({"name": Path(where).stem, **raw, "methods": _typed(raw.get("methods"))})
    except yaml.YAMLError as error:
        raise SearchError(f"search {where}: not YAML: {error}") from error
    except ValidationError as error:
        problems = "\n  ".join(_explained(problem) for problem in error.errors())
        raise SearchError(f"search {where}:\n  {problems}") from error


def shipped() -> list[str]:
    """Names of the searches that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def _typed(methods: Any) -> Any:
    """Ranges and multiples of the rank as what they are; other values stay as they were written."""
    if not isinstance(methods, dict) or not all(isinstance(settings, dict) for settings in methods.values()):
        return methods
    return {
        method: {name: _typed_value(f"methods.{method}.{name}", value, settings) for name, value in settings.items()}
        for method, settings in methods.items()
    }


def _typed_value(place: str, value: Any, settings: dict[str, Any]) -> Any:
    if value == []:
        raise SearchError(f"{place}: an empty list leaves nothing to try")
    if not isinstance(value, dict):
        return value
    kind = PerRank if "per_rank" in value else Range
    if kind is Range and place.rsplit(".", 1)[-1] not in RANGES:
        raise SearchError(f"{place}: takes no range; list the values to try")
    if kind is PerRank and "r" not in settings:
        raise SearchError(f"{place}: per_rank multiplies r, which is not there")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise SearchError(f"{place}: {_explained(error.errors()[0])}") from error


def _explained(problem: Any) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path, Search.model_fields, n=1, cutoff=0.5)
        return f"{path}: no such field; {f'did you mean {near[0]!r}?' if near else 'there is none like it'}"
    return f"{path or 'as a whole'}: {problem['msg'].removeprefix('Value error, ')}"


def _read(name_or_path: str) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SearchError(f"search {path}: cannot be read: {error}") from error
    if name_or_path not in shipped():
        near = difflib.get_close_matches(name_or_path, shipped(), n=3, cutoff=0.4) or shipped()
        raise SearchError(f"no search is called {name_or_path!r}: {', '.join(near)}? A path must end in .yaml.")
    file = _folder().joinpath(f"{name_or_path}.yaml")
    return str(file), file.read_text(encoding="utf-8")


def _folder() -> Any:
    return importlib.resources.files("lora_demo.training.searching").joinpath("searches")
