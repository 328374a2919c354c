"""Recipes from YAML: by name or path, inheriting with `extends`, changed with key=value; mistakes are named."""

from __future__ import annotations

import difflib
import importlib.resources
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lora_demo.training.recipes import unique_yaml
from lora_demo.training.recipes.recipe import Recipe


class RecipeError(ValueError):
    """A recipe that cannot be used; the message names the file, the field and the fix."""


def shipped() -> list[str]:
    """Names of the recipes that come with the package; those starting with an underscore are only inherited."""
    folder = importlib.resources.files("lora_demo.training").joinpath("recipes")
    names = (entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return sorted(name for name in names if not name.startswith("_"))


def load(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or at that path, with `key=value` settings applied on top (dots reach into parts).

    Raises RecipeError, also for what is wrong with the recipes that run before this one; nothing but the recipes' own
    files is read.
    """
    raw, where = _inherited(name_or_path, ())
    for setting in settings:
        _set(raw, setting)
    raw.setdefault("name", Path(where).stem)
    recipe = parse(raw, where)
    _check_before(recipe, where)
    return recipe


def parse(raw: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from plain values; `where` names the file in messages."""
    try:
        return Recipe.model_validate(dict(raw))
    except ValidationError as error:
        problems = "\n  ".join(_explain(problem, raw) for problem in error.errors())
        raise RecipeError(f"recipe {where}:\n  {problems}") from error


def _check_before(recipe: Recipe, where: str) -> None:
    """The recipes that run first are read as the run reads them, without settings, so a circle shows in their files."""
    chain, seen = [where], set[str]()
    while recipe.before is not None:
        raw, found = _inherited(recipe.before, ())
        chain.append(found)
        if found in seen:
            raise RecipeError(
                f"recipe {where}: before={recipe.before} comes back to itself through {' -> '.join(chain)}; "
                "let the first of them start from weights, without before"
            )
        seen.add(found)
        recipe = parse({"name": Path(found).stem, **raw}, found)


def _inherited(name_or_path: str, below: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    where, text = _read(name_or_path)
    if where in below:
        raise RecipeError(f"recipe {where}: extends itself through {' -> '.join([*below, where])}")
    raw = _yaml(text, where)
    parent = raw.pop("extends", None)
    if parent is None:
        return raw, where
    if not isinstance(parent, str):
        raise RecipeError(f"recipe {where}: extends must be one recipe name or path, found {parent!r}")
    nearby = Path(where).parent / parent
    base, _ = _inherited(str(nearby) if nearby.is_file() else parent, (*below, where))
    base.pop("name", None)
    return merged(base, raw), where


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, part by part; a part that names another kind or method starts afresh."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if old is not None and _same_sort(old, value) else value
    return result


def _same_sort(old: Any, new: Any) -> bool:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return False
    return all(new.get(mark, old.get(mark)) == old.get(mark) for mark in ("kind", "name"))


def _read(name_or_path: str) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe {path}: cannot be read: {error}") from error
    file = importlib.resources.files("lora_demo.training").joinpath("recipes", f"{name_or_path}.yaml")
    if not file.is_file():
        near = difflib.get_close_matches(name_or_path, shipped(), n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(shipped())}"
        raise RecipeError(f"no recipe is called {name_or_path!r}: {hint} A path must end in .yaml.")
    return str(file), file.read_text(encoding="utf-8")


def _yaml(text: str, where: str) -> dict[str, Any]:
    try:
        raw = unique_yaml.read(text)
    except unique_yaml.NotYAML as error:
        raise RecipeError(f"recipe {where}: not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {where}: must hold fields, found {type(raw).__name__}")
    return raw


def _set(raw: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise RecipeError(f"--set {setting!r}: expected key=value, e.g. optimizer.lr=1e-3")
    if path == "extends":
        raise RecipeError(
            f"--set {setting!r}: what a recipe extends stands in its file; name that recipe, or write one"
        )
    *parts, last = path.split(".")
    place = raw
    for depth, part in enumerate(parts, start=1):
        inner = place.get(part) or {}
        if not isinstance(inner, Mapping):
            above = ".".join(parts[:depth])
            raise RecipeError(f"--set {setting!r}: {above} is {inner!r} and has no fields; set {above} itself")
        place[part] = dict(inner)
        place = place[part]
    place[last] = _yaml(f"value: {text}", f"--set {setting}")["value"]


def _explain(problem: Any, raw: Mapping[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = _fields(Recipe, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        return f"{'.'.join(path)}: no such field; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if path and message.startswith(f"{'.'.join(path)}."):
        return message
    given = problem.get("input")
    shown = "" if isinstance(given, dict | BaseModel) else f" (found {given!r})"
    return f"{'.'.join(path) or 'as a whole'}: {message}{shown if problem['type'] != 'value_error' else ''}"


def _fields(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Field names of the part that a path leads to; a tagged choice (data kinds) puts its tag into the path."""
    for part in path:
        options = {name: info.annotation for name, info in model.model_fields.items()}
        found = options.get(part) or next((o for o in _choices(model) if o.__name__.lower().startswith(part[:4])), None)
        if isinstance(found, type) and issubclass(found, BaseModel):
            model = found
    return list(model.model_fields)


def _choices(model: type[BaseModel]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for info in model.model_fields.values():
        if isinstance(info.annotation, types.UnionType) or typing.get_origin(info.annotation) is typing.Union:
            found += [o for o in typing.get_args(info.annotation) if isinstance(o, type) and issubclass(o, BaseModel)]
    return found
