"""The hand-written pages under `docs/<language>/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lora_demo.pages.bank.problem import InvalidContent, Problem
from lora_demo.pages.bank.source_text import read_text

_FRONT = re.compile(r"\A---[ \t]*\n.*?^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class WrittenPage:
    """`page` from the docs folder, `source` from the root; `text` without front matter begins on `line`."""

    page: str
    source: str
    text: str
    line: int


def written_pages(root: Path, lang: str, problems: list[Problem] | None = None) -> list[WrittenPage]:
    """All Markdown pages of one language. One that cannot be read goes to `problems`, or raises InvalidContent."""
    folder = root / "docs" / lang
    found: list[WrittenPage] = []
    for file in sorted(folder.rglob("*.md")):
        try:
            found.append(read_page(root, file, folder))
        except InvalidContent as error:
            if problems is None:
                raise
            problems += error.problems
    return found


def read_page(root: Path, file: Path, folder: Path) -> WrittenPage:
    """One page. Raises InvalidContent."""
    text = read_text(root, file)
    front = _FRONT.match(text)
    start = front.end() if front else 0
    line = 1 + text.count("\n", 0, start)
    return WrittenPage(file.relative_to(folder).as_posix(), file.relative_to(root).as_posix(), text[start:], line)


def assets(root: Path, lang: str) -> set[str]:
    """Files that pages may link to, from the docs folder."""
    folder = root / "docs" / lang
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
