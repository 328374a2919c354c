"""Single lines of Markdown as HTML, for places that are HTML already."""

from __future__ import annotations

from functools import lru_cache

from markdown import Markdown

_MARKUP = frozenset("`*_[]<>&\\!")
_MARKDOWN = Markdown()


@lru_cache(maxsize=8192)
def inline(text: str) -> str:
    """One line without the paragraph's tags."""
    if _MARKUP.isdisjoint(text):
        return text
    return _MARKDOWN.reset().convert(text).removeprefix("<p>").removesuffix("</p>")
