"""Which page covers which section or question of the source notes, from `qa/coverage.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.question import Text
from lora_demo.pages.bank.yaml_source import Strict, YamlSource, field_names, read_yaml, validate


class Covered(Strict):
    """`section`: a slug of ours; `title`: the notes' heading; `pages`: question ids or page paths (`ledger.md`)."""

    section: Text
    title: Text
    pages: Annotated[list[Text], Field(min_length=1)]


@lru_cache(maxsize=4)
def parse_coverage(path: str, text: str) -> tuple[tuple[Covered, ...], YamlSource]:
    source = read_yaml(path, text)
    return tuple(validate(list[Covered], source, field_names(Covered))), source


def uncovered(
    entries: tuple[Covered, ...], source: YamlSource, questions: Collection[str], pages: Collection[str]
) -> Iterator[Problem]:
    """Entries that name a page that is not there, and sections listed twice."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.section in seen:
            yield source.problem((index, "section"), f"`{entry.section}` stands twice", "merge the two entries")
        seen.add(entry.section)
        for place, page in enumerate(entry.pages):
            if page not in questions and page not in pages:
                yield source.problem((index, "pages", place), f"no page `{page}`", nearest(page, [*questions, *pages]))
