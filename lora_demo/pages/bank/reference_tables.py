"""Figures shown as tables on their page, from `qa/reference-figures.yaml`: they count as used without being quoted."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from lora_demo.pages.bank import links
from lora_demo.pages.bank.problem import InvalidContent, nearest
from lora_demo.pages.bank.question import Both, Text
from lora_demo.pages.bank.yaml_source import Strict, field_names, read_yaml, validate


class _Entry(Strict):
    """`figures`: names or patterns (`mgm2b.lora.*.r16`), all of one page."""

    title: Both
    figures: Annotated[list[Text], Field(min_length=1)]


@dataclass(frozen=True)
class Table:
    page: str
    title: dict[str, str]
    figures: tuple[str, ...]


@lru_cache(maxsize=4)
def parse_tables(path: str, text: str, known: frozenset[str]) -> tuple[Table, ...]:
    """The tables, patterns resolved against the `known` figures."""
    source = read_yaml(path, text)
    entries = validate(list[_Entry], source, field_names(_Entry, Both))
    tables, problems = [], []
    for index, entry in enumerate(entries):
        names = _names(entry.figures, known)
        for place, pattern in enumerate(entry.figures):
            if not fnmatch.filter(known, pattern):
                at = (index, "figures", place)
                problems.append(source.problem(at, f"no figure matches `{pattern}`", nearest(pattern, known)))
        pages = sorted({links.figure_page(name) for name in names})
        if len(pages) > 1:
            message = f"the figures stand on several pages: {', '.join(pages)}"
            problems.append(source.problem((index, "figures"), message, "make one table per page"))
        if names:
            tables.append(Table(pages[0], {"zh": entry.title.zh, "en": entry.title.en}, names))
    if problems:
        raise InvalidContent(problems)
    return tuple(tables)


def _names(patterns: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for pattern in patterns:
        found.update(dict.fromkeys(sorted(fnmatch.filter(known, pattern))))
    return tuple(found)
