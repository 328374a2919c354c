"""Cutting Markdown into what a reader reads as prose and what stands verbatim: code, math, placeholders, HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_PIECES = re.compile(
    # The look-ahead rejects ordinary characters at once; it holds every character that a piece can begin with.
    r"""
    (?=[ \t`~<{$(]) (?:
      (?P<fence>^[ \t]*(?P<rail>`{3,}|~{3,})[^\n]*\n(?s:.*?)(?:^[ \t]*(?P=rail)[`~]*[ \t]*$|\Z))
    | (?P<code>(?<!`)(?P<ticks>`+)(?!`)(?s:.+?)(?<!`)(?P=ticks)(?!`))
    | (?P<comment><!--(?s:.*?)-->)
    | (?P<placeholder>\{\{[^\n]*?\}\})
    | (?P<display>\$\$(?s:.+?)\$\$)
    | (?P<math>(?<![\\$\w])\$(?![\s$])[^$\n]*?(?<![\s\\])\$(?![\d$]))
    | (?P<tag></?[a-zA-Z][^<>\n]*>)
    | (?P<target>(?<=\])\([^()\n]*\))
    )
    """,
    re.VERBOSE | re.MULTILINE,
)
HEADING = re.compile(r"^#{1,6}[ \t].*$", re.MULTILINE)
# Stands for what was cut out: no digit, no letter, no blank, so that nothing joins across it.
GAP = "\ufffc"


@dataclass(frozen=True)
class Piece:
    """A stretch ``text[start:end]``; kind is "prose" or one of the verbatim kinds."""

    kind: str
    start: int
    end: int
    text: str


@lru_cache(maxsize=16384)
def pieces(text: str) -> tuple[Piece, ...]:
    """The whole text, cut; joining the pieces' texts gives `text` again. Cached: every check reads the same texts."""
    return tuple(_cut(text))


def _cut(text: str) -> Iterator[Piece]:
    at = 0
    for match in _PIECES.finditer(text):
        if match.start() > at:
            yield Piece("prose", at, match.start(), text[at : match.start()])
        # The outer group closes last, so lastgroup is the kind and never `rail` or `ticks`.
        yield Piece(match.lastgroup or "", match.start(), match.end(), match.group())
        at = match.end()
    if at < len(text):
        yield Piece("prose", at, len(text), text[at:])


def masked(text: str) -> str:
    """Prose only, of equal length: everything verbatim becomes gaps, line breaks stay."""
    return "".join(p.text if p.kind == "prose" else re.sub(r"[^\n]", GAP, p.text) for p in pieces(text))


def place(text: str, offset: int, first_line: int = 1) -> tuple[int, int]:
    """Line and column (from 1) of an offset, where the text begins on line `first_line` of its file."""
    before = text[:offset]
    return first_line + before.count("\n"), offset - (before.rfind("\n") + 1) + 1
