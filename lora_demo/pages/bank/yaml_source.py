"""YAML that remembers where each value stands, and turns a schema's complaints into problems with a line and a fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from lora_demo.pages.bank.problem import InvalidContent, Problem, nearest

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Place = tuple[int, int]
Location = tuple[int | str, ...]
T = TypeVar("T")
ID_PATTERN = r"^[a-z0-9-]+\.[a-z0-9-]+$"
PLENTY, DEEPEST = 10_000, 100
"""So many signs could open more levels than a stack holds; so many levels no text of ours has."""
EVIDENCE_PATTERN = r"^(tests/\S+\.py::\S+|fig:\S+|cite:\S+)$"


class Strict(BaseModel):
    """A schema that refuses unknown fields and converts nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True)
class YamlSource:
    """A parsed document: its data and the place of every key and item."""

    path: str
    data: Any
    places: dict[Location, Place]

    def place(self, location: Location) -> Place:
        """Where the value stands; a missing field stands where its parent does."""
        while location and location not in self.places:
            location = location[:-1]
        return self.places.get(location, (1, 1))

    def problem(self, location: Location, message: str, fix: str) -> Problem:
        line, column = self.place(location)
        return Problem(self.path, line, column, dotted(location), message, fix)


def dotted(location: Location) -> str:
    """``("claims", 0, "by")`` -> ``claims[0].by``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "file"


def read_yaml(path: str, text: str, first_line: int = 1) -> YamlSource:
    """Parse one document whose first line is line `first_line` of the file. Raises InvalidContent."""
    try:
        if sum(map(text.count, "[{-?")) > PLENTY:
            _refuse_depth(text)
        return _read(path, text, first_line)
    except yaml.MarkedYAMLError as error:
        raise InvalidContent([_syntax_problem(path, error, first_line)]) from error
    except yaml.YAMLError as error:
        raise InvalidContent([Problem(path, first_line, 1, "yaml", str(error), "remove the character")]) from error
    except RecursionError as error:
        message, fix = "lists and mappings stand too deep in one another", "quote the text, or write it flat"
        raise InvalidContent([Problem(path, first_line, 1, "yaml", message, fix)]) from error


def _refuse_depth(text: str) -> None:
    """libyaml's parser calls itself for each level, and ends the process instead of raising. Raises RecursionError."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RecursionError


def _read(path: str, text: str, first_line: int) -> YamlSource:
    node = yaml.compose(text, Loader=LOADER)
    places: dict[Location, Place] = {(): (first_line, 1)}
    shape = YamlSource(path, None, places)
    if node is None:
        return shape
    if faults := list(_walk(node, (), first_line, places, set())):
        raise InvalidContent(shape.problem(*fault) for fault in faults)
    return YamlSource(path, _construct(node, shape), places)


def validate(schema: type[T] | Any, source: YamlSource, names: frozenset[str]) -> T:
    """`source.data` as `schema`, or InvalidContent naming every field at fault. `names`: fields to propose."""
    try:
        return TypeAdapter(schema).validate_python(source.data)
    except ValidationError as error:
        raise InvalidContent(_field_problem(source, detail, names) for detail in error.errors()) from error


def _construct(node: yaml.Node, shape: YamlSource) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        # YAML's own types, dates and numbers among them, raise whatever Python does on their text.
        message = f"a value is not what it looks like: {error}"
        raise InvalidContent([shape.problem((), message, "quote a date, number or `!!` meant as text")]) from error
    finally:
        loader.dispose()


def _walk(
    node: yaml.Node, at: Location, first_line: int, places: dict[Location, Place], seen: set[int]
) -> Iterator[tuple[Location, str, str]]:
    """Fill `places`; yield what is wrong: doubled keys, and values that stand twice or hold themselves."""
    if isinstance(node, yaml.CollectionNode):
        if id(node) in seen:
            yield at, "an alias repeats a whole list or mapping", "write it out instead of `*name`"
            return
        seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            if here in places:
                yield here, "the key stands twice", "keep one of them"
            places[here] = (first_line + key.start_mark.line, key.start_mark.column + 1)
            yield from _walk(value, here, first_line, places, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*at, index)
            places[here] = (first_line + value.start_mark.line, value.start_mark.column + 1)
            yield from _walk(value, here, first_line, places, seen)


def _syntax_problem(path: str, error: yaml.MarkedYAMLError, first_line: int) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (first_line + mark.line, mark.column + 1) if mark else (first_line, 1)
    fix = "quote text that holds `: `, `#`, `{` or `[`, and indent with spaces"
    return Problem(path, line, column, "yaml", f"not valid YAML: {error.problem or error.context}", fix)


def _field_problem(source: YamlSource, detail: ErrorDetails, names: frozenset[str]) -> Problem:
    location: Location = tuple(detail["loc"])
    kind, name = detail["type"], str(location[-1]) if location else "file"
    if kind == "missing":
        return source.problem(location, f"the field `{name}` is missing", f"add `{name}: …` here")
    if kind == "extra_forbidden":
        split = "quote the text: inside `{…}` a comma ends it" if " " in name else f"remove it; {nearest(name, names)}"
        return source.problem(location, f"unknown field `{name}`", split)
    message, fix = _in_words(detail)
    return source.problem(location, message, fix)


def _in_words(detail: ErrorDetails) -> tuple[str, str]:
    """A schema's complaint as a person would put it, and the fix."""
    kind, limits = detail["type"], detail.get("ctx", {})
    given = repr(detail["input"])
    shown = given if len(given) < 60 else given[:57] + "…"
    wanted = next((word for start, word in _WANTED.items() if kind.startswith(start)), None)
    if kind == "string_too_short":
        return "the text is empty", "write it"
    if kind in ("too_short", "too_long"):
        bound = f"at least {limits['min_length']}" if kind == "too_short" else f"at most {limits['max_length']}"
        return f"{limits['actual_length']} entries where {bound} belong", f"list {bound}"
    if kind == "literal_error":
        return f"{shown} is not allowed here", f"write one of {limits['expected']}"
    if kind == "string_pattern_mismatch":
        return f"{shown} has the wrong form", _FORMS_OF_TEXT.get(limits["pattern"], f"match {limits['pattern']}")
    if wanted:
        return f"{shown} is not {wanted}", f"write {wanted}"
    return f"{detail['msg']} (found {shown})", "write what the schema asks for"


_WANTED = {
    "string": "a text (quote it if it looks like a number)",
    "int": "a whole number",
    "list": "a list",
    "model": "a mapping of fields",
    "dict": "a mapping of fields",
}
_FORMS_OF_TEXT = {
    ID_PATTERN: "write `topic.slug` in small letters, digits and hyphens",
    EVIDENCE_PATTERN: "write `tests/file.py::test_name`, `fig:NAME` or `cite:KEY`",
}


def field_names(*schemas: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for schema in schemas for name in schema.model_fields)
