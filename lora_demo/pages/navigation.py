"""The site's navigation: hand-written pages from `docs/nav.yaml`, generated ones where it says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LEVELS, OVERVIEW
from lora_demo.pages.bank.problem import InvalidContent, nearest
from lora_demo.pages.bank.question import LEVELS as LEVEL_ORDER
from lora_demo.pages.bank.question import Both, Text
from lora_demo.pages.bank.source_text import read_text
from lora_demo.pages.bank.yaml_source import Strict, field_names, read_yaml, validate

Entry = dict[str, Any]
GENERATED = ("topics", "levels", "asked", "figures", "ledger", "literature", "myths", "glossary", "exercises")


class NavItem(Strict):
    """A title with a hand-written `page`, a `generated` part (see GENERATED), or `items` of its own."""

    title: Both
    page: Text | None = None
    generated: Text | None = None
    items: list[NavItem] = Field(default_factory=list)


def navigation(content: Content, lang: str, pages: Iterable[str]) -> list[Entry]:
    """Nested ``{title: path}`` entries. `pages`: the paths of all generated pages."""
    file = content.root / "docs" / "nav.yaml"
    known = set(pages)
    items = _read(file, content.root) if file.is_file() else []
    return [entry for item in items for entry in _entries(item, content, lang, known)]


def _read(file: Path, root: Path) -> list[NavItem]:
    path = file.relative_to(root).as_posix()
    source = read_yaml(path, read_text(root, file))
    items = validate(list[NavItem], source, field_names(NavItem))
    for index, item in enumerate(items):
        if item.generated and item.generated not in GENERATED:
            message = f"nothing generated is called `{item.generated}`"
            raise InvalidContent([source.problem((index, "generated"), message, nearest(item.generated, GENERATED))])
    return items


def _entries(item: NavItem, content: Content, lang: str, known: set[str]) -> list[Entry]:
    title = getattr(item.title, lang)
    if item.page:
        return [{title: item.page}]
    below = [entry for child in item.items for entry in _entries(child, content, lang, known)]
    if item.generated == "topics":
        return [{title: below + _topics(content, lang)}]
    if item.generated == "levels":
        below += [{LEVELS[lang][level]: f"levels/{level}.md"} for level in LEVEL_ORDER]
    elif item.generated:
        # Of these only the list stands in the navigation: the others are reached from it, or from the numbers.
        path = f"{item.generated}/index.md" if item.generated in ("figures", "exercises") else f"{item.generated}.md"
        return [{title: path}] if path in known else []
    return [{title: below}] if below else []


def _topics(content: Content, lang: str) -> list[Entry]:
    entries: list[Entry] = []
    for topic in content.topics:
        questions = content.by_topic(topic.id)
        if questions:
            first: list[Any] = [{OVERVIEW[lang]: f"topics/{topic.id}.md"}]
            entries.append({getattr(topic.title, lang): first + [{q.title(lang): q.page} for q in questions]})
    return entries
