"""The hand-written pages under `docs/<language>/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FRONT = re.compile(r"\A---[ \t]*\n.*?^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class WrittenPage:
    """`page` from the docs folder, `source` from the root; `text` without front matter begins on `line`."""

    page: str
    source: str
    text: str
    line: int


def written_pages(root: Path, lang: str) -> list[WrittenPage]:
    """All Markdown pages of one language."""
    folder = root / "docs" / lang
    return [read_page(root, file, folder) for file in sorted(folder.rglob("*.md"))]


def read_page(root: Path, file: Path, folder: Path) -> WrittenPage:
    text = file.read_text(encoding="utf-8")
    front = _FRONT.match(text)
    start = front.end() if front else 0
    line = 1 + text.count("\n", 0, start)
    return WrittenPage(file.relative_to(folder).as_posix(), file.relative_to(root).as_posix(), text[start:], line)


def assets(root: Path, lang: str) -> set[str]:
    """Files that pages may link to, from the docs folder."""
    folder = root / "docs" / lang
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
