"""The bibliography, `qa/literature.yaml`, as far as the pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.bank.yaml_source import YamlSource, read_yaml


@dataclass(frozen=True)
class Reference:
    """One work. `details` are the fields as the file has them."""

    key: str
    title: str
    label: str
    details: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=4)
def parse_literature(path: str, text: str) -> dict[str, Reference]:
    """Key -> reference."""
    source = read_yaml(path, text)
    works = source.data or {}
    if not isinstance(works, dict):
        raise InvalidContent([source.problem((), "the file is no mapping", "write `key: {title: …}` entries")])
    return {str(key): _reference(source, str(key), entry) for key, entry in works.items()}


def _reference(source: YamlSource, key: str, entry: Any) -> Reference:
    if not isinstance(entry, dict) or not entry.get("title"):
        raise InvalidContent([source.problem((key,), f"`{key}` has no title", "add `title: …`")])
    authors, year = str(entry.get("authors", "")), entry.get("year", "")
    label = " ".join(part for part in (authors, str(year)) if part) or str(entry["title"])
    return Reference(key, str(entry["title"]), label, entry)
