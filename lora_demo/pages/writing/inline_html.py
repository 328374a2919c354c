"""Pieces of Markdown as HTML, for places that are HTML already. Remembered by text: a thousand of them come back in
every build, and while serving all but one are as they were."""

from __future__ import annotations

from functools import lru_cache

from markdown import Markdown

_MARKUP = frozenset("`*_[]<>&\\!")
_MARKDOWN = Markdown()


@lru_cache(maxsize=8192)
def block(text: str) -> str:
    """Any number of paragraphs."""
    return _MARKDOWN.reset().convert(text)


def inline(text: str) -> str:
    """One line without the paragraph's tags."""
    return text if _MARKUP.isdisjoint(text) else block(text).removeprefix("<p>").removesuffix("</p>")
