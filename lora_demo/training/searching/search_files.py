"""Searches from YAML: by name or path; mistakes are named with their place."""

from __future__ import annotations

import difflib
import importlib.resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lora_demo.methods.registry import METHODS
from lora_demo.training.recipes import method_settings, unique_yaml
from lora_demo.training.searching.search import PerRank, Range, Rates, Search, SearchError, choices

RANGES = ("lr", "alpha", "dropout")
"""Settings that any number serves; others take whole numbers or names, and those are listed one by one."""


def load(name_or_path: str) -> Search:
    """The shipped search of that name, or the one at that path. Raises SearchError."""
    where, text = _read(name_or_path)
    try:
        raw = unique_yaml.read(text)
        if not isinstance(raw, dict):
            raise SearchError(f"must hold fields, found {type(raw).__name__}")
        return Search.model_validate({"name": Path(where).stem, **raw, "methods": _typed(raw.get("methods"))})
    except unique_yaml.NotYAML as error:
        raise SearchError(f"search {where}: not YAML: {error}") from error
    except ValidationError as error:
        problems = "\n  ".join(_explained(problem) for problem in error.errors())
        raise SearchError(f"search {where}:\n  {problems}") from error
    except SearchError as error:
        raise SearchError(f"search {where}: {error}") from error


def shipped() -> list[str]:
    """Names of the searches that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def _typed(methods: Any) -> Any:
    """Ranges and multiples of the rank as what they are; other values stay as they were written."""
    if not isinstance(methods, dict) or not all(isinstance(settings, dict) for settings in methods.values()):
        return methods
    return {
        method: {name: _typed_value(method, name, value, settings) for name, value in settings.items()}
        for method, settings in methods.items()
    }


def _typed_value(method: str, name: str, value: Any, settings: dict[str, Any]) -> Any:
    place = f"methods.{method}.{name}"
    if value == []:
        raise SearchError(f"{place}: an empty list leaves nothing to try")
    if not isinstance(value, dict):
        _check_choices(method, name, value)
        return value
    kind = PerRank if "per_rank" in value else Range
    if kind is Range and name not in RANGES:
        raise SearchError(f"{place}: takes no range; list the values to try")
    if kind is PerRank and "r" not in settings:
        raise SearchError(f"{place}: per_rank multiplies r, which is not there")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise SearchError(f"{place}: {_explained(error.errors()[0])}") from error


def _check_choices(method: str, name: str, value: Any) -> None:
    for choice in choices(name, value):
        if wrong := _rate_problem(choice) if name == "lr" else _setting_problem(method, name, choice):
            raise SearchError(f"methods.{method}.{wrong}")


def _rate_problem(rate: Any) -> str | None:
    try:
        TypeAdapter(Rates).validate_python((rate,), strict=True)
    except ValidationError:
        return f"lr={rate}: expected a number above 0 such as 1e-3"
    return None


def _setting_problem(method: str, name: str, choice: Any) -> str | None:
    """Unknown methods and settings are named where the recipe's model is at hand."""
    return method_settings.problem(method, name, choice) if method in METHODS else None


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
